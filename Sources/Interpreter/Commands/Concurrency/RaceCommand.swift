import Language

extension CommandDefinition {
  static let race = CommandDefinition(
    name: "race", group: .concurrency, summary: "runs statements side by side and gives the first success; the rest are cancelled",
    usage: ["race { …; … }"],
    arguments: 1...1,
    examples: ["let first = race { ask \"Name one river.\" --model sim/story ; ask \"Name one river.\" --model sim/fast }"]
  ) { call in
    let statements = try call.branches()
    var context = try call.context.branching(statements.count, at: call.span)
    (context.showsValues, context.isCaught) = (false, true)
    let inner = context
    defer { call.session.endBranches(statements.count) }
    let attempts = statements.map { _ in Attempted(within: context.attempted, isMissed: false) }
    let (winner, value) = try await withThrowingTaskGroup(of: (branch: Int, result: Result<Value, any Error>).self) { group in
      for (branch, statement) in statements.enumerated() {
        var inner = inner
        inner.attempted = attempts[branch]
        group.addTask { [inner] in
          do {
            let value = try await inner.runStructured(statement).value
            if let failure = value.failure {
              var diagnostic = inner.error("this branch failed (\(failure.description))", at: statement.span, help: failure.advice)
              diagnostic.cause = failure.kind.rawValue
              throw diagnostic
            }
            return (branch, .success(value))
          } catch {
            return (branch, .failure(error))
          }
        }
      }
      // Where all fail, the first of them as they are written is told of, whichever was the quickest.
      var first: (branch: Int, error: any Error)?
      for try await (branch, result) in group {
        switch result {
        case .success(let value):
          group.cancelAll()
          return (branch, value)
        case .failure(let error): if branch < first?.branch ?? .max { first = (branch, error) }
        }
      }
      for attempted in attempts { attempted.isNeeded() }
      throw first?.error ?? CancellationError()
    }
    // Those that lost are not missed, whatever became of them; by now all of them have ended, also one that failed as another won.
    for (branch, attempted) in attempts.enumerated() where branch != winner { attempted.forget(call.session.unanswered) }
    attempts[winner].isNeeded()
    return .value(value)
  }
}
