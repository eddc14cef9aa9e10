import Language
import Scheduling

extension CommandDefinition {
  static let why = CommandDefinition(
    name: "why", group: .concurrency, summary: "tells what moved the limits, when and for what reason", usage: ["why", "why job"],
    arguments: 0...1, showsItself: true, steers: .always, examples: ["set concurrency auto\nset concurrency 16\nwhy"]
  ) { call in
    let limiter = call.world.engine.limiter
    var changes = limiter.history
    if !call.command.arguments.isEmpty, let handle = try await call.jobs().first {
      let job = handle.job
      changes = changes.filter { $0.job == job.id || $0.job == nil && job.span.contains($0.at) }
    }
    let now = call.world.engine.time.now
    do {
      for change in changes {
        let job = change.job.flatMap { id in call.session.reachableJobs.first { $0.job.id == id }?.job.name }
        let whose = job.map { "\($0): " } ?? ""
        try call.world.output.print("\(call.world.system.clock(now - change.at)) \(whose)\(change.text)", raw: false)
      }
    } catch { throw call.error("\(error)") }
    if changes.isEmpty { call.world.output.note("nothing has moved a limit") }
    return .value(.nothing)
  }
}
