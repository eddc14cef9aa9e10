import Language

extension CommandDefinition {
  static let peek = CommandDefinition(
    name: "peek", group: .concurrency, summary: "gives what a job has finished so far, without waiting",
    usage: ["peek job", "peek job --in-order"],
    arguments: 1...1,
    flags: [
      FlagDefinition(
        name: "in-order", summary: "only the rows before the first that has not finished: no sample of the quick", isSwitch: true)
    ], steers: .always, examples: ["let facts = map 1..3 \"A fact about {it}.\" &\npeek facts | take 2\ngather facts"]
  ) { call in
    if case .name(let name) = call.command.arguments[0].node,
      call.session.job(named: name, in: call.context.scope)?.job.isOver ?? true, let value = call.context.scope.lookup(name)
    {
      // Gathered meanwhile: all of it is there.
      if case .job = value {} else { return .value(value) }
    }
    let jobs = try await call.jobs()
    for handle in jobs where handle.isEmptied { _ = try await call.context.result(of: handle, at: call.command.arguments[0].span) }
    let inOrder = call.has("in-order")
    let rows = jobs.flatMap { $0.soFar(inOrder: inOrder) }
    let progress = jobs.filter { !$0.job.isOver }.map(\.job.progress)
    let isPart = progress.contains { progress in progress.total.map { rows.count < $0 } ?? true }
    if isPart, !inOrder, !rows.isEmpty, jobs.contains(where: { $0.job.isNews("peek") }) {
      let total = progress.count == 1 ? progress[0].total : nil
      call.world.output.note(
        "peek: \(total.map { "\(rows.count) of \($0)" } ?? "\(rows.count)") rows; what comes first is the quick ones: "
          + "`--in-order` gives those before the first that has not come")
    }
    return .value(.list(rows))
  }
}
