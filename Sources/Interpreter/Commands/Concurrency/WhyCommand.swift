import Language
import Scheduling

extension CommandDefinition {
  static let why = CommandDefinition(
    name: "why", group: .concurrency,
    summary: "tells what moved the limits, when and for what reason; of a job, also where its time went and what holds it back",
    usage: ["why", "why job", "why --json"],
    arguments: 0...1, flags: [FlagDefinition(name: "json", summary: "the changes as a JSON array", isSwitch: true)], showsItself: true,
    steers: .always, examples: ["set concurrency auto\nset concurrency 16\nwhy"]
  ) { call in
    let limiter = call.world.engine.limiter
    var changes = limiter.history
    var job: Job?
    if !call.command.arguments.isEmpty, let handle = try await call.jobs().first {
      job = handle.job
      changes = changes.filter { $0.job == handle.job.id || $0.job == nil && handle.job.span.contains($0.at) }
    }
    if call.has("json") { return try await call.printed(.array(changes.map { call.session.status($0, of: job) })) }
    var lines = changes.map { change in
      let name = change.job.flatMap { id in call.session.reachableJobs.first { $0.job.id == id }?.job.name }
      return "\(call.world.system.clock(change.at)) \(name.map { "\($0): " } ?? "")\(change.fullText(for: job?.id))"
    }
    if changes.isEmpty { call.world.output.note("nothing has moved a limit") }
    if let job { lines += call.session.account(of: job) } else { lines += call.session.laneLines }
    do { for line in lines { try await call.world.output.print(line, raw: false) } } catch { throw call.error("\(error)") }
    return .value(.nothing)
  }
}

extension Session {
  /// The lanes of which something is to be told: in use, waited for, or with limits of their own.
  fileprivate var laneLines: [String] {
    world.engine.limiter.lanes().compactMap { lane in
      var parts: [String] = []
      if lane.inUse > 0 || lane.waiting > 0 { parts.append("\(lane.inUse) in flight\(lane.limit.map { " of \($0)" } ?? "")") }
      if lane.waiting > 0 { parts.append("\(lane.waiting) waiting") }
      if let rate = lane.learnedRate { parts.append("\(rate.fixed(rate < 10 ? 1 : 0)) a second learned") }
      for setting in Limits.Own.settings {
        if let own = lane.own[setting] { parts.append("\(setting) \(own)") }
        if let own = lane.ofProvider[setting] { parts.append("\(setting) \(own) of \(lane.model.provider)") }
      }
      if let shut = world.engine.limiter.shut(lane.model), shut.isNews(now: world.engine.time.now) {
        // Its name stands before all of them.
        let (text, name) = (words(shut), lane.model.description)
        parts.append(text.hasPrefix(name) ? String(text.dropFirst(name.count).drop { $0 == ":" || $0 == " " }) : text)
      }
      return parts.isEmpty ? nil : "\(lane.model): \(parts.joined(separator: ", "))"
    }
  }

  /// Where a job's time went, what its lanes gave lately, and what holds it back.
  fileprivate func account(of job: Job) -> [String] {
    let limiter = world.engine.limiter
    var lines: [String] = []
    let spent = job.timeSpent
    if spent.calls > 0 {
      func share(_ part: Duration) -> String {
        "\((part / spent.calls).short) (\(Int((part / spent.all * 100).rounded())) %)"
      }
      if spent.all > .zero {
        lines.append(
          "\(spent.calls) calls; each on average: waiting for a place \(share(spent.waiting)), between tries \(share(spent.betweenTries)), "
            + "to the first token \(share(spent.firstToken)), writing \(share(spent.writing))")
      }
    }
    for lane in limiter.lanes(of: job) {
      for window in lane.windows.filter(\.isTelling).suffix(4) {
        let ttft = window.ttft.map { ", ttft \($0.short)" } ?? ""
        let rate = Double(window.answers) / window.seconds
        lines.append(
          "\(world.system.clock(window.from)) \(lane.model) at \(window.limit): \(rate.fixed(1)) rows/s, "
            + "\((Double(window.tokens) / window.seconds).fixed(0)) tokens/s\(ttft)"
            + (window.refused > 0 ? ", \(window.refused) refused" : ""))
      }
    }
    let verdict = limiter.verdict(of: job).words(job.typedName, words)
    lines.append("now: \(verdict.text)\(verdict.line.map { "; `\($0)`" } ?? "")")
    return lines
  }
}
