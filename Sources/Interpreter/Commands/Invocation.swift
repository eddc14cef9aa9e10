import Chat
import JSON
import Language
import Scheduling

/// A command as it is being run: what was written, and what comes through `|`.
struct Invocation: Sendable {
  let command: Command
  let definition: CommandDefinition
  let context: Context
  let input: Flow
  /// No stage follows.
  let isLast: Bool
  /// What a job of it is called: the variable that gets the result.
  let jobName: String?
  /// Its value is shown as it is.
  var isShown = false

  var session: Session { context.session }
  var world: World { context.world }
  var span: Span { command.span }

  func error(_ message: String, at span: Span? = nil, help: String? = nil) -> Diagnostic {
    context.error(message, at: span ?? command.span, help: help)
  }

  /// Who says what the command does.
  var author: ChangeAuthor {
    ChangeAuthor.current ?? .script(name: context.source.name, line: context.source.line(of: span.start) + 1)
  }

  // MARK: checks, before anything runs

  /// - Parameter isVariable: whether a word is also the name of a variable: it is read when the command runs then.
  func checkFlags(isVariable: (String) -> Bool) throws {
    for flag in command.flags {
      let name = flag.name.text
      guard definition.flagNames.contains(name) || mayBeParameters else { throw unknownFlag(flag) }
      // A value that stands there in words can be checked now.
      let setting = definition.takesRequestFlags ? SettingDefinition.requestFlags.first { $0.name == name } : nil
      let own = definition.flags.first { $0.name == name }
      for word in flag.value?.words ?? [] where !isVariable(word.text) {
        let value = SettingWord.value(word.text)
        try context.located(word.span) { () throws(OperationError) in
          if let own { try own.check(value) } else { _ = try setting?.read(value) }
        }
      }
    }
  }

  /// The models that stand behind `--model` as words.
  func modelsInWords() -> [Name] {
    command.flags.filter { $0.name.text == "model" }.flatMap { $0.value?.words ?? [] }
  }

  private func unknownFlag(_ flag: Flag) -> Diagnostic {
    let name = flag.name.text
    var help = Suggestion.help(for: name, among: definition.flagNames, asFlag: true)
    if SettingDefinition.named(name) != nil { help = "`set \(name) …` sets it for the session" }
    return error("`\(definition.name)` has no flag `--\(name)`", at: flag.name.span, help: help ?? "`help \(definition.name)` lists them")
  }

  /// `map xs story --tone formal`: parameters of a prompt can come as flags, where a name may stand for a prompt.
  private var mayBeParameters: Bool {
    ["map", "ask", "stream"].contains(definition.name) && command.arguments.contains { $0.mayBePrompts }
  }

  /// - Parameter isPiped: whether the first of them comes through `|`.
  func checkArguments(isPiped: Bool) throws {
    if definition.takesWords { return }
    let least = definition.takesInput ? max(0, definition.arguments.lowerBound - 1) : definition.arguments.lowerBound
    let most = definition.takesInput && isPiped ? max(0, definition.arguments.upperBound - 1) : definition.arguments.upperBound
    let count = command.arguments.count
    if count < least { throw error("`\(definition.name)` needs more: \(definition.usage[0])", at: command.name.span) }
    if count > most {
      throw error(
        "`\(definition.name)` takes fewer arguments\(most < definition.arguments.upperBound ? " behind `|`" : "")",
        at: command.arguments[most].span, help: definition.usage.joined(separator: "\n"))
    }
    try checkCount()
  }

  /// A document on a line of its own.
  func printed(_ document: JSONValue) async throws -> Flow {
    var bytes: [UInt8] = []
    document.write(to: &bytes)
    // What a terminal's guard would show in its own way stands as JSON's escapes, so that it is JSON still.
    var text = ""
    for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
      if scalar.isASCII || scalar.properties.isSafeInJSON {
        text.unicodeScalars.append(scalar)
      } else {
        for unit in String(scalar).utf16 { text += "\\u" + String(0x10000 + Int(unit), radix: 16).dropFirst() }
      }
    }
    do { try await world.output.print(text, raw: false) } catch { throw self.error("\(error)") }
    return .value(.nothing)
  }

  // MARK: arguments

  func value(_ index: Int) async throws -> Value { try await context.value(command.arguments[index]) }

  /// A text argument, or a reply's text.
  func text(_ index: Int, _ what: String) async throws -> String {
    let expression = command.arguments[index]
    let value = try await context.value(expression)
    guard value.asText != nil || value.failure != nil else {
      throw error("\(what) is a text, not \(value.kind): \(value.preview)", at: expression.span)
    }
    return try context.text(of: value, at: expression.span)
  }

  func whole(_ index: Int, _ what: String, in range: ClosedRange<Int>) async throws -> Int {
    let value = try await value(index)
    guard case .int(let whole) = value, range.contains(whole) else {
      throw error(
        "\(what) is a whole number from \(range.lowerBound)\(range.upperBound == .max ? "" : " to \(range.upperBound)"), not \(value.preview)",
        at: command.arguments[index].span)
    }
    return whole
  }

  func flag(_ name: String) -> Flag? { command.flags.last { $0.name.text == name } }
  func has(_ name: String) -> Bool { flag(name) != nil }

  func flagValue(_ name: String) async throws -> Value? {
    guard let given = flag(name)?.value else { return nil }
    guard let flag = definition.flags.first(where: { $0.name == name }) else { return try await context.value(given) }
    let value = try await context.value(given) { value in (try? flag.check(value)) != nil }
    try context.located(given.span) { () throws(OperationError) in for value in flag.each(value) { try flag.check(value) } }
    return value
  }

  /// What came through `|`, or else the first argument; and the arguments left.
  func rows() async throws -> (stream: RowStream, rest: ArraySlice<Expression>) {
    switch input {
    case .rows(let stream): return (stream, command.arguments[...])
    case .value(let value): return (try stream(of: value, at: command.name.span), command.arguments[...])
    case .start:
      guard let first = command.arguments.first else {
        throw error("`\(definition.name)` needs rows: \(definition.usage[0])", at: command.name.span)
      }
      return (try stream(of: try await context.value(first), at: first.span), command.arguments.dropFirst())
    }
  }

  func stream(of value: Value, at span: Span) throws -> RowStream {
    let source: any ItemSource
    switch value {
    case .list(let list): source = ListSource(list.values)
    case .range(let low, let high): source = RangeSource(low, high)
    case .record, .reply, .text: source = ListSource([value])
    default: throw error("`\(definition.name)` goes through a list, a range or rows, not \(value.kind): \(value.preview)", at: span)
    }
    return RowStream(source: source, context: context(for: source.visible ?? []))
  }

  /// Where expressions are evaluated for rows of which these are there already.
  func context(for rows: [Value]) -> Context {
    var context = context
    context.rowFields = RowFields(rows)
    context.invariants = Invariants()
    return context
  }

  /// Everything that comes in, as a list.
  func values() async throws -> (values: [Value], rest: ArraySlice<Expression>) {
    let (stream, rest) = try await rows()
    return (try await stream.collect(named: jobName), rest)
  }

  /// One value: what came through `|`, or else the first argument.
  func single() async throws -> (value: Value, rest: ArraySlice<Expression>) {
    switch input {
    case .rows(let stream): return (.list(try await stream.collect(named: jobName)), command.arguments[...])
    case .value(let value): return (value, command.arguments[...])
    case .start:
      guard let first = command.arguments.first else {
        throw error("`\(definition.name)` needs a value: \(definition.usage[0])", at: command.name.span)
      }
      return (try await context.value(first), command.arguments.dropFirst())
    }
  }
}

extension Expression {
  /// Whether a name in it may stand for a prompt: one alone, or in a list.
  fileprivate var mayBePrompts: Bool {
    switch node {
    case .name: true
    case .list(let elements): elements.contains { $0.mayBePrompts }
    default: false
    }
  }
}

extension FlagDefinition {
  /// What it was given, one by one where a list is.
  func each(_ value: Value) -> [Value] {
    if case .cells = accepts, case .list(let list) = value { return list.values }
    return [value]
  }
}

extension SettingValue {
  /// The words in it, where it is one or a list of them.
  fileprivate var words: [Name] {
    switch node {
    case .word(let text): [Name(text: text, span: span)]
    case .list(let values): values.flatMap(\.words)
    case .expression: []
    }
  }
}

extension Unicode.Scalar.Properties {
  /// Whether a scalar is seen as it is: no control, no mark that changes how what follows is shown, nothing private.
  fileprivate var isSafeInJSON: Bool {
    switch generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate, .unassigned: false
    default: !isDefaultIgnorableCodePoint
    }
  }
}
