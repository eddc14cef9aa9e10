import JSON

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// The C library's functions, by names that those of the language do not hide.
private enum Platform {
  static func exp(_ x: Double) -> Double {
    #if canImport(Glibc)
      Glibc.exp(x)
    #else
      Darwin.exp(x)
    #endif
  }

  static func log(_ x: Double) -> Double {
    #if canImport(Glibc)
      Glibc.log(x)
    #else
      Darwin.log(x)
    #endif
  }
}

extension Functions {
  static let numbers: [Function] = [
    make(
      "number(text, else)",
      "a text read as a number: `1e3`, `$1,234.00`, `12 %` (12); `else`, where it is given, for what is none", 1...2
    ) { (values) throws(OperationError) in
      if case .bool(let flag) = values[0] { return .int(flag ? 1 : 0) }
      if case .duration(let duration) = values[0] { return Value(whole: duration.seconds) }
      if values[0].isNumber { return values[0] }
      if values.count > 1, values[0].asText == nil { return values[1] }
      if let number = NumberText.read(try text(values[0], "number")) { return number }
      if values.count > 1 { return values[1] }
      throw OperationError(
        "this is no number: \(values[0].preview)",
        help: "`number(text, else)` gives `else` for what is none; `numbers(text)` finds those in a text")
    },
    make("numbers(text)", "every number in a text", 1...1) { (values) throws(OperationError) in
      .list(NumberText.all(in: try text(values[0], "numbers")))
    },
    make("round(x, digits)", "rounded", 1...2) { (values) throws(OperationError) in
      guard values[0].isNumber, let number = values[0].asNumber else {
        throw OperationError("`round` takes a number, not \(values[0].kind)")
      }
      let digits = values.count > 1 ? try whole(values[1], "round") : 0
      guard (0...12).contains(digits) else { throw OperationError("`round` takes 0 to 12 digits") }
      if case .int = values[0] { return values[0] }
      var scale = 1.0
      for _ in 0..<digits { scale *= 10 }
      // A number as large as this has no digits after the point.
      guard (number * scale).magnitude < 1e15 else { return values[0] }
      return Value(whole: (number * scale).rounded() / scale)
    },
    make("abs(x)", "without its sign", 1...1) { (values) throws(OperationError) in
      switch values[0] {
      case .int(let whole): return whole == .min ? .number(-Double(whole)) : .int(Swift.abs(whole))
      case .number(let number): return .number(number.magnitude)
      case .exact(let number): return .exact(number.text.hasPrefix("-") ? number.negated : number)
      case .duration(let duration): return .duration(duration < .zero ? .zero - duration : duration)
      default: throw OperationError("`abs` takes a number, not \(values[0].kind)")
      }
    },
    real("floor", "the next whole number below") { $0.rounded(.down) },
    real("ceil", "the next whole number above") { $0.rounded(.up) },
    real("sqrt", "the square root") { $0 < 0 ? nil : $0.squareRoot() },
    real("exp", "e to the power of x") { Platform.exp($0) },
    real("log", "the natural logarithm") { $0 > 0 ? Platform.log($0) : nil },
  ]

  /// A function of one number; nil where it has no value there.
  private static func real(_ name: String, _ summary: String, _ body: @escaping @Sendable (Double) -> Double?) -> Function {
    make("\(name)(x)", summary, 1...1) { (values) throws(OperationError) in
      if case .int = values[0], name == "floor" || name == "ceil" { return values[0] }
      if case .exact(let number) = values[0], number.isLarge, name == "floor" || name == "ceil" { return values[0] }
      guard values[0].isNumber, let number = values[0].asNumber else {
        throw OperationError("`\(name)` takes a number, not \(values[0].kind): \(values[0].preview)")
      }
      guard let result = body(number) else { throw OperationError("`\(name)` has no value for \(values[0].text)") }
      guard result.isFinite else { throw OperationError("`\(name)(\(values[0].text))` is out of range") }
      return Value(whole: result)
    }
  }

  /// The one number that a reply holds: the text itself, or the only number in it.
  static func number(in text: String) -> Value? {
    if let number = NumberText.read(text) { return number }
    let found = NumberText.all(in: text)
    return found.count == 1 ? found[0] : nil
  }

  /// The JSON of a reply: the text itself, or the one fenced block in it.
  static func json(in text: String) -> Value? {
    if let value = try? JSONValue(parsing: text.utf8) { return Value(value) }
    let parts = text.split(separator: "```", omittingEmptySubsequences: false)
    guard parts.count == 3 else { return nil }
    let body = parts[1].drop { $0.isLetter }
    return (try? JSONValue(parsing: body.utf8)).map(Value.init)
  }
}
