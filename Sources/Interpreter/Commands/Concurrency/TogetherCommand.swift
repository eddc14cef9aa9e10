import Chat
import Language

extension CommandDefinition {
  static let together = CommandDefinition(
    name: "together", group: .concurrency, summary: "runs statements side by side; one that fails cancels the others",
    usage: ["together { …; … }"], arguments: 1...1,
    showsItself: true, examples: ["together {\n  let a = ask \"Name one river.\"\n  let b = ask \"Name one lake.\"\n}\nprint \"{a} {b}\""]
  ) { call in
    let statements = try call.branches()
    var context = try call.context.branching(statements.count, at: call.span)
    context.showsValues = false
    let inner = context
    defer { call.session.endBranches(statements.count) }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for statement in statements {
        group.addTask {
          let value = try await inner.runStructured(statement).value
          // A branch whose reply failed has failed: its siblings are not worth paying for.
          if let failure = inner.failure(of: value, bound: statement) {
            var diagnostic = inner.error("this branch failed (\(failure.description))", at: statement.span, help: failure.advice)
            diagnostic.cause = failure.kind.rawValue
            throw diagnostic
          }
        }
      }
      // Leaving with the first error cancels the rest and waits for them (`waitForAll` would wait first).
      for try await _ in group {}
    }
    return .value(.nothing)
  }
}

extension Context {
  /// The failure of a branch: of its value, or of the variable it bound.
  func failure(of value: Value, bound statement: Statement) -> Failure? {
    if case .binding(let name, _) = statement.node { return scope.lookup(name.text)?.failure }
    return value.failure
  }
}
