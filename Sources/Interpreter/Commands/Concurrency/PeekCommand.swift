import Language

extension CommandDefinition {
  static let peek = CommandDefinition(
    name: "peek", group: .concurrency, summary: "gives what a job has finished so far, without waiting", usage: ["peek job"],
    arguments: 1...1,
    steers: .always, examples: ["let facts = map 1..3 \"A fact about {it}.\" &\npeek facts | take 2\ngather facts"]
  ) { call in
    if case .name(let name) = call.command.arguments[0].node, let value = call.context.scope.lookup(name) {
      // Gathered meanwhile: all of it is there.
      if case .job = value {} else { return .value(value) }
    }
    let rows = try await call.jobs().flatMap { $0.soFar() }
    return .value(
      .list(
        rows.sorted { a, b in
          guard case .reply(let x) = a, case .reply(let y) = b else { return false }
          return x.index < y.index
        }))
  }
}
