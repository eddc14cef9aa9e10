extension Functions {
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
    Function(name: name, usage: "\(name)(list)", summary: summary, accepts: 1...1) { (values, session) throws(OperationError) in
      let (numbers, isTime) = try sample(values[0], name)
      // A sum of what nobody knows is not known; of no rows it is 0.
      if numbers.isEmpty { return name == "sum" && values[0].elements?.isEmpty ?? true ? .int(0) : .nothing }
      if !isTime, let exact = exactly(name, values[0]) { return exact }
      let result = body(numbers)
      guard result.isFinite else { throw OperationError("`\(name)` of these numbers is out of range") }
      if isTime { return try Value.duration(seconds: result) }
      if losesDigits(name, values[0]) { session.noteLostDigits() }
      return result == result.rounded() && result.magnitude < 1e15 ? .int(Int(result)) : .number(result)
    }
  }

  /// Whether whole numbers went into it that a double has not all digits of.
  private static func losesDigits(_ name: String, _ list: Value) -> Bool {
    let elements = list.elements ?? []
    if elements.contains(where: { if case .exact(let number) = $0 { number.isLarge } else { false } }) { return true }
    return name == "sum"
      && elements.allSatisfy { element in
        switch element {
        case .int, .bool, .nothing: true
        default: false
        }
      }
  }

  /// Sums and means of whole numbers that fit, ranks, and the least and greatest of any, without a detour over doubles.
  private static func exactly(_ name: String, _ list: Value) -> Value? {
    let numbers = (list.elements ?? []).compactMap { element -> Value? in
      switch element {
      case .nothing: nil
      case .bool(let flag): .int(flag ? 1 : 0)
      default: element
      }
    }
    switch name {
    case "mean":
      guard case .int(let sum)? = exactly("sum", list) else { return nil }
      return try? Value.int(sum).apply(.divide, .int(numbers.count))
    case "median", "p50": return ranked(numbers, 0.5)
    case "p95": return ranked(numbers, 0.95)
    case "p99": return ranked(numbers, 0.99)
    case "sum":
      var sum = 0
      for number in numbers {
        guard case .int(let whole) = number else { return nil }
        let (next, overflow) = sum.addingReportingOverflow(whole)
        if overflow { return nil }
        sum = next
      }
      return .int(sum)
    case "min", "max":
      let wanted = name == "min" ? -1 : 1
      return numbers.dropFirst().reduce(numbers.first) { best, number in
        best.map { number.comparedAsNumber(to: $0) == wanted ? number : $0 }
      }
    default: return nil
    }
  }

  /// The same as `percentile` of whole numbers, where it is whole.
  private static func ranked(_ numbers: [Value], _ share: Double) -> Value? {
    guard numbers.allSatisfy({ if case .number = $0 { false } else { $0.isNumber } }) else { return nil }
    let sorted = numbers.sorted { $0.comparedAsNumber(to: $1) == -1 }
    let position = share * Double(sorted.count - 1)
    let low = Int(position.rounded(.down))
    let part = position - Double(low)
    let (first, second) = (sorted[low], sorted[min(low + 1, sorted.count - 1)])
    if part == 0 || first.comparedAsNumber(to: second) == 0 {
      if case .exact(let number) = first, number.isLarge { return first }
      return first.withoutSpelling
    }
    guard case .int(let a) = first, case .int(let b) = second else { return nil }
    let (step, overflow) = b.subtractingReportingOverflow(a)
    let up = Double(step) * part
    guard !overflow, let whole = Int(exactly: up), whole < 1 << 53 else { return nil }
    return .int(a + whole)
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

  static let aggregates: [Function] = [
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
}
