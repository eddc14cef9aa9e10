import Language

extension CommandDefinition {
  static let timeout = CommandDefinition(
    name: "timeout", group: .concurrency, summary: "runs a block and cancels it when the time is over", usage: ["timeout 30s { … }"],
    arguments: 2...2,
    examples: ["timeout 30s { ask \"Name one river.\" }"]
  ) { call in
    let value = try await call.value(0)
    guard case .duration(let limit) = value, limit > .zero else {
      throw call.error("`timeout` takes a duration, not \(value.preview)", at: call.command.arguments[0].span, help: "timeout 30s { … }")
    }
    let block = try call.block()
    let context = call.context
    let time = call.world.engine.time
    let result = try await withThrowingTaskGroup(of: Completion?.self) { group in
      group.addTask { try await context.runStructured(block, showsLast: false) }
      group.addTask {
        try await time.sleep(for: limit)
        return nil
      }
      let first = try await group.next() ?? nil
      group.cancelAll()
      return first
    }
    guard let result else {
      throw call.error(
        "the block took longer than \(limit.short)", at: call.command.name.span, help: "what had finished in it is kept in its variables")
    }
    return .value(try call.passingOn(result))
  }
}
