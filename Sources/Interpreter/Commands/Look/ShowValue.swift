import Language

extension CommandDefinition {
  /// `show` and `table`: a value as the prompt shows it.
  static func showValue(_ call: Invocation) async throws -> Flow {
    let value = try await call.single().value
    var options = ShowOptions()
    options.all = call.has("all")
    options.wide = call.has("wide")
    options.paged = call.definition.name == "table"
    do { try call.world.output.show(value, options: options) } catch { throw call.error("\(error)") }
    return .value(.nothing)
  }
}
