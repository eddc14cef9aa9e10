import Language

extension CommandDefinition {
  /// `show` and `table`: a value as the prompt shows it.
  static func showValue(_ call: Invocation) async throws -> Flow {
    let value: Value
    if call.command.arguments.isEmpty, case .start = call.input {
      guard let last = call.context.scope.lookup("_") else {
        throw call.error("nothing was shown yet", at: call.command.name.span, help: "`\(call.definition.name) x` shows a value")
      }
      value = last
    } else {
      value = try await call.single().value
    }
    var options = ShowOptions()
    options.all = call.has("all")
    options.wide = call.has("wide")
    options.paged = call.definition.name == "table"
    options.whole = true
    do { try await call.world.output.show(value, options: options) } catch { throw call.error("\(error)") }
    call.session.assign("_", value, in: call.session.globals)
    return .value(.nothing)
  }
}
