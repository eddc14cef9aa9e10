import JSON
import Language

/// A built-in function.
public struct Function: Sendable {
  public var name: String
  /// How it is called, e.g. `len(x)`.
  public var usage: String
  public var summary: String
  var accepts: ClosedRange<Int>
  var run: @Sendable ([Value], Session) throws(OperationError) -> Value

  /// What is nothing in the list it is given does not count, and that is told.
  var leavesNothingOut: Bool { name == "joined" || name != "count" && Functions.aggregateNames.contains(name) }

  var arity: String {
    accepts.lowerBound == accepts.upperBound
      ? accepts.lowerBound == 1 ? "one argument" : "\(accepts.lowerBound) arguments"
      : "\(accepts.lowerBound) to \(accepts.upperBound) arguments"
  }
}

/// The built-in functions, by what they work on.
public enum Functions {
  public static let all: [Function] = aggregates + texts + lists + numbers + others
  private static let byName = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })
  public static let names = all.map(\.name)

  public static func named(_ name: String) -> Function? { byName[name] }

  static func make(
    _ usage: String, _ summary: String, _ accepts: ClosedRange<Int>,
    _ run: @escaping @Sendable ([Value]) throws(OperationError) -> Value
  ) -> Function {
    let name = String(usage.prefix { $0 != "(" })
    return Function(name: name, usage: usage, summary: summary, accepts: accepts) { (values, _) throws(OperationError) in try run(values) }
  }

  static func text(_ value: Value, _ function: String) throws(OperationError) -> String {
    try value.answered()
    guard let text = value.asText else {
      throw OperationError("`\(function)` takes a text, not \(value.kind): \(value.preview)", help: "`text(x)` makes one of anything")
    }
    return text
  }

  static func list(_ value: Value, _ function: String) throws(OperationError) -> [Value] {
    guard let elements = value.elements else { throw OperationError("`\(function)` takes a list, not \(value.kind): \(value.preview)") }
    return elements
  }

  static func whole(_ value: Value, _ function: String) throws(OperationError) -> Int {
    guard case .int(let whole) = value else {
      throw OperationError("`\(function)` takes a whole number, not \(value.kind): \(value.preview)")
    }
    return whole
  }

  // MARK: aggregates

  /// The numbers of a list: booleans count as 0 and 1, `nothing` is left out.
  private static func sample(_ value: Value, _ function: String) throws(OperationError) -> (numbers: [Double], isTime: Bool) {
    var numbers: [Double] = []
    var isTime = false
    for element in try list(value, function) {
      switch element {
      case .nothing: continue
      case .bool(let flag): numbers.append(flag ? 1 : 0)
      default:
        guard let number = element.asNumber else {
          throw OperationError("`\(function)` takes numbers, not \(element.kind): \(element.preview)")
        }
        if case .duration = element { isTime = true }
        numbers.append(number)
      }
    }
    return (numbers, isTime)
  }

  private static func aggregate(_ name: String, _ summary: String, _ body: @escaping @Sendable ([Double]) -> Double) -> Function {
    make("\(name)(list)", summary, 1...1) { (values) throws(OperationError) in
      let (numbers, isTime) = try sample(values[0], name)
      if numbers.isEmpty { return name == "sum" ? .int(0) : .nothing }
      let result = body(numbers)
      if isTime { return .duration(.microseconds(Int64((result * 1e6).rounded()))) }
      return result == result.rounded() && result.magnitude < 1e15 ? .int(Int(result)) : .number(result)
    }
  }

  /// Linear between the two nearest ranks.
  private static func percentile(_ numbers: [Double], _ share: Double) -> Double {
    let sorted = numbers.sorted()
    let position = share * Double(sorted.count - 1)
    let low = Int(position.rounded(.down))
    let high = min(low + 1, sorted.count - 1)
    return sorted[low] + (sorted[high] - sorted[low]) * (position - Double(low))
  }

  static let aggregateNames: Set<String> = ["count", "sum", "mean", "median", "min", "max", "p50", "p95", "p99", "stdev"]

  private static let aggregates: [Function] = [
    make("count(list)", "how many elements", 1...1) { (values) throws(OperationError) in .int(try list(values[0], "count").count) },
    aggregate("sum", "their sum") { $0.reduce(0, +) },
    aggregate("mean", "their mean; of true and false, the share of true") { $0.reduce(0, +) / Double($0.count) },
    aggregate("median", "the middle one") { percentile($0, 0.5) },
    aggregate("min", "the least") { $0.min() ?? 0 },
    aggregate("max", "the greatest") { $0.max() ?? 0 },
    aggregate("p50", "the 50th percentile") { percentile($0, 0.5) },
    aggregate("p95", "the 95th percentile") { percentile($0, 0.95) },
    aggregate("p99", "the 99th percentile") { percentile($0, 0.99) },
    aggregate("stdev", "the standard deviation of a sample") { numbers in
      let mean = numbers.reduce(0, +) / Double(numbers.count)
      if numbers.count < 2 { return 0 }
      return (numbers.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(numbers.count - 1)).squareRoot()
    },
  ]

  // MARK: texts

  private static let texts: [Function] = [
    make("len(x)", "characters of a text, elements of a list, fields of a record", 1...1) { (values) throws(OperationError) in
      switch values[0] {
      case .record(let record): return .int(record.fields.count)
      case .range(let low, let high): return .int(max(0, high - low + 1))
      case .list(let elements): return .int(elements.count)
      default: return .int(try text(values[0], "len").count)
      }
    },
    make("text(x)", "anything as a text", 1...1) { (values) throws(OperationError) in
      try values[0].answered()
      return .text(values[0].text)
    },
    make("upper(text)", "in capitals", 1...1) { (values) throws(OperationError) in .text(try text(values[0], "upper").uppercased()) },
    make("lower(text)", "in small letters", 1...1) { (values) throws(OperationError) in .text(try text(values[0], "lower").lowercased()) },
    make("trim(text)", "without white space at its ends", 1...1) { (values) throws(OperationError) in
      .text(trimmed(try text(values[0], "trim")))
    },
    make("lines(text)", "its lines", 1...1) { (values) throws(OperationError) in
      .list(try text(values[0], "lines").split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).map { .text(String($0)) })
    },
    make("words(text)", "its words", 1...1) { (values) throws(OperationError) in
      .list(try text(values[0], "words").split(whereSeparator: \.isWhitespace).map { .text(String($0)) })
    },
    make("split(text, separator)", "the pieces between separators", 2...2) { (values) throws(OperationError) in
      let (whole, separator) = (try text(values[0], "split"), try text(values[1], "split"))
      if separator.isEmpty { return .list(whole.map { .text(String($0)) }) }
      return .list(whole.split(separator: separator, omittingEmptySubsequences: false).map { .text(String($0)) })
    },
    make("joined(list, separator)", "a text of the elements with a separator between; what is nothing is left out", 1...2) {
      (values) throws(OperationError) in
      let separator = values.count > 1 ? try text(values[1], "joined") : ""
      return .text(try list(values[0], "joined").filter { $0.failure == nil && !$0.isNothing }.map(\.text).joined(separator: separator))
    },
    make("replace(text, old, new)", "with every `old` replaced", 3...3) { (values) throws(OperationError) in
      let (whole, old, new) = (try text(values[0], "replace"), try text(values[1], "replace"), try text(values[2], "replace"))
      return .text(old.isEmpty ? whole : whole.replacing(old, with: new))
    },
    make("starts(text, start)", "whether it starts so", 2...2) { (values) throws(OperationError) in
      .bool(try text(values[0], "starts").hasPrefix(try text(values[1], "starts")))
    },
    make("ends(text, end)", "whether it ends so", 2...2) { (values) throws(OperationError) in
      .bool(try text(values[0], "ends").hasSuffix(try text(values[1], "ends")))
    },
    make("cut(text, n)", "at most `n` characters of it", 2...2) { (values) throws(OperationError) in
      .text(String(try text(values[0], "cut").prefix(max(0, try whole(values[1], "cut")))))
    },
    make("find(text, pattern)", "every match of a regular expression (of its first group, where it has one)", 2...2) {
      (values) throws(OperationError) in
      .list(try Pattern(try text(values[1], "find")).matches(in: try text(values[0], "find")).map(Value.text))
    },
    make("substitute(text, pattern, new)", "with every match of a regular expression replaced", 3...3) { (values) throws(OperationError) in
      .text(
        try Pattern(try text(values[1], "substitute")).replace(
          in: try text(values[0], "substitute"), with: try text(values[2], "substitute")))
    },
  ]

  static func trimmed(_ text: String) -> String {
    var view = text[...]
    while let first = view.first, first.isWhitespace { view.removeFirst() }
    while let last = view.last, last.isWhitespace { view.removeLast() }
    return String(view)
  }

  // MARK: lists and records

  private static let lists: [Function] = [
    make("first(list)", "its first element, or nothing", 1...1) { (values) throws(OperationError) in
      try list(values[0], "first").first ?? .nothing
    },
    make("last(list)", "its last element, or nothing", 1...1) { (values) throws(OperationError) in
      try list(values[0], "last").last ?? .nothing
    },
    make("reverse(list)", "from its end to its start", 1...1) { (values) throws(OperationError) in
      .list(try list(values[0], "reverse").reversed())
    },
    make("zip(a, b)", "pairs of elements", 2...2) { (values) throws(OperationError) in
      .list(zip(try list(values[0], "zip"), try list(values[1], "zip")).map { .list([$0, $1]) })
    },
    make("list(x)", "a range spelled out", 1...1) { (values) throws(OperationError) in
      if case .range(let low, let high) = values[0], high - low >= 50_000_000 {
        throw OperationError("the range is too long to be spelled out: \(values[0].preview)")
      }
      return .list(try list(values[0], "list"))
    },
    make("fields(record)", "the names of its fields", 1...1) { .list($0[0].fieldNames.map(Value.text)) },
    make("get(x, name, fallback)", "a field, or the fallback where there is none (the text of a reply that failed)", 2...3) {
      (values) throws(OperationError) in
      let fallback = values.count > 2 ? values[2] : .nothing
      if case .int(let index) = values[1], let elements = values[0].elements {
        return elements.indices.contains(index) ? elements[index] : fallback
      }
      let name = try text(values[1], "get")
      if case .reply(let row) = values[0], row.noAnswer(reading: name) != nil { return fallback }
      return values[0].field(name) ?? fallback
    },
    make("failed(rows)", "the rows that have no answer", 1...1) { (values) throws(OperationError) in
      .list(try list(values[0], "failed").filter { $0.failure != nil })
    },
    make("errors(rows)", "how often each kind of failure happened, with an example", 1...1) { (values) throws(OperationError) in
      var kinds: [(kind: String, count: Int, example: String)] = []
      for failure in try list(values[0], "errors").compactMap(\.failure) {
        if let index = kinds.firstIndex(where: { $0.kind == failure.kind.rawValue }) {
          kinds[index].count += 1
        } else {
          kinds.append((failure.kind.rawValue, 1, failure.message))
        }
      }
      return .list(kinds.map { .record(Record([("kind", .text($0.kind)), ("count", .int($0.count)), ("example", .text($0.example))])) })
    },
  ]

  // MARK: numbers

  private static let numbers: [Function] = [
    make("number(text)", "a text read as a number", 1...1) { (values) throws(OperationError) in
      if case .bool(let flag) = values[0] { return .int(flag ? 1 : 0) }
      if case .duration(let duration) = values[0] { return .number(duration.seconds) }
      if values[0].asNumber != nil { return values[0] }
      let text = trimmed(try text(values[0], "number"))
      if let whole = Int(text) { return .int(whole) }
      guard let number = Double(text), number.isFinite else { throw OperationError("this is no number: \(values[0].preview)") }
      return .number(number)
    },
    make("round(x, digits)", "rounded", 1...2) { (values) throws(OperationError) in
      guard let number = values[0].asNumber else { throw OperationError("`round` takes a number, not \(values[0].kind)") }
      let digits = values.count > 1 ? try whole(values[1], "round") : 0
      guard (0...12).contains(digits) else { throw OperationError("`round` takes 0 to 12 digits") }
      var scale = 1.0
      for _ in 0..<digits { scale *= 10 }
      let result = (number * scale).rounded() / scale
      return result == result.rounded() && result.magnitude < 1e15 ? .int(Int(result)) : .number(result)
    },
    make("abs(x)", "without its sign", 1...1) { (values) throws(OperationError) in
      switch values[0] {
      case .int(let whole): return whole == .min ? .number(-Double(whole)) : .int(Swift.abs(whole))
      case .number(let number): return .number(number.magnitude)
      default: throw OperationError("`abs` takes a number, not \(values[0].kind)")
      }
    },
  ]

  /// The one number that a reply holds: the text itself, or the only number in it.
  static func number(in text: String) -> Value? {
    let whole = trimmed(text)
    if let value = Int(whole) { return .int(value) }
    if let value = Double(whole), value.isFinite { return .number(value) }
    var found: [Substring] = []
    var index = text.startIndex
    while index < text.endIndex {
      let run = text[index...].prefix { $0.isASCII && ($0.isNumber || $0 == "." || $0 == "-") }
      let number = run.drop { $0 == "." }
      if number.contains(where: \.isNumber) { found.append(number.last == "." ? number.dropLast() : number) }
      index = run.isEmpty ? text.index(after: index) : run.endIndex
    }
    guard found.count == 1 else { return nil }
    return Int(found[0]).map(Value.int) ?? Double(found[0]).map(Value.number)
  }

  /// The JSON of a reply: the text itself, or the one fenced block in it.
  static func json(in text: String) -> Value? {
    if let value = try? JSONValue(parsing: text.utf8) { return Value(value) }
    let parts = text.split(separator: "```", omittingEmptySubsequences: false)
    guard parts.count == 3 else { return nil }
    let body = parts[1].drop { $0.isLetter }
    return (try? JSONValue(parsing: body.utf8)).map(Value.init)
  }

  // MARK: others

  private static let others: [Function] = [
    make("json(x)", "a text read as JSON", 1...1) { (values) throws(OperationError) in
      let text = try text(values[0], "json")
      do throws(JSONError) { return Value(try JSONValue(parsing: text.utf8)) } catch { throw OperationError("this is not JSON: \(error)") }
    },
    make("to_json(x)", "anything as JSON text", 1...1) { .text($0[0].json.text) },
    make("type(x)", "what kind of value it is", 1...1) { .text($0[0].kind.replacing("a ", with: "")) },
    make("seconds(duration)", "a duration as a number of seconds", 1...1) { (values) throws(OperationError) in
      guard case .duration(let duration) = values[0] else { throw OperationError("`seconds` takes a duration, not \(values[0].kind)") }
      return .number(duration.seconds)
    },
    Function(name: "env", usage: "env(\"NAME\")", summary: "a variable of the environment, or nothing", accepts: 1...1) {
      (values, session) throws(OperationError) in
      session.world.system.environment(try text(values[0], "env")).map(Value.text) ?? .nothing
    },
    Function(name: "now", usage: "now()", summary: "time since the session began", accepts: 0...0) { (_, session) throws(OperationError) in
      .duration(session.world.engine.time.now)
    },
    Function(name: "timestamp", usage: "timestamp()", summary: "the time of day, as 2026-01-31T23:59:59Z", accepts: 0...0) {
      (_, session) throws(OperationError) in
      .text(session.world.system.timestamp())
    },
  ]
}
