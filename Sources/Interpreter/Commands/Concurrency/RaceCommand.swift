import Language

extension CommandDefinition {
  static let race = CommandDefinition(
    name: "race", group: .concurrency, summary: "runs statements side by side and gives the first success; the rest are cancelled",
    usage: ["race { …; … }"],
    arguments: 1...1,
    examples: ["let first = race { ask \"Name one river.\" --model sim/story ; ask \"Name one river.\" --model sim/fast }"]
  ) { call in
    var context = call.context
    context.showsValues = false
    let (inner, statements) = (context, try call.branches())
    let value = try await withThrowingTaskGroup(of: Result<Value, any Error>.self) { group in
      for statement in statements {
        group.addTask {
          do {
            let value = try await inner.runStructured(statement).value
            if let failure = value.failure {
              throw inner.error("this branch failed (\(failure.description))", at: statement.span, help: failure.kind.advice)
            }
            return .success(value)
          } catch {
            return .failure(error)
          }
        }
      }
      var first: (any Error)?
      for try await result in group {
        switch result {
        case .success(let value):
          group.cancelAll()
          return value
        case .failure(let error): first = first ?? error
        }
      }
      throw first ?? CancellationError()
    }
    return .value(value)
  }
}
