import JSON

extension Functions {
  static let others: [Function] = [
    make("json(text, else)", "a text read as JSON; `else`, where it is given, for what is none", 1...2) {
      (values) throws(OperationError) in
      let text = try text(values[0], "json")
      do throws(JSONError) { return Value(try JSONValue(parsing: text.utf8)) } catch {
        if values.count > 1 { return values[1] }
        throw OperationError("this is not JSON: \(error)", help: "`json(text, else)` gives `else` for what is none")
      }
    },
    make("to_json(x)", "anything as JSON text", 1...1) { .text($0[0].json.text) },
    make("type(x)", "what it is: bool, number, text, duration, list, record, range, reply, job, prompt, function, nothing", 1...1) {
      .text($0[0].typeName)
    },
    make("seconds(duration)", "a duration as a number of seconds", 1...1) { (values) throws(OperationError) in
      guard case .duration(let duration) = values[0] else { throw OperationError("`seconds` takes a duration, not \(values[0].kind)") }
      return .number(duration.seconds)
    },
    Function(name: "env", usage: "env(\"NAME\")", summary: "a variable of the environment, or nothing", accepts: 1...1) {
      (values, session) throws(OperationError) in
      session.world.system.environment(try text(values[0], "env")).map(Value.text) ?? .nothing
    },
    Function(name: "now", usage: "now()", summary: "time since the session began", accepts: 0...0, isOfTheMoment: true) {
      (_, session) throws(OperationError) in
      .duration(session.world.engine.time.now)
    },
    Function(
      name: "timestamp", usage: "timestamp()", summary: "the time of day, as 2026-01-31T23:59:59Z", accepts: 0...0, isOfTheMoment: true
    ) {
      (_, session) throws(OperationError) in
      .text(session.world.system.timestamp(nil))
    },
  ]
}
