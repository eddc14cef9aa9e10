import Language
import Names
import Scheduling

/// `set` of what shapes an answer: for jobs to come, or for one that runs.
extension Invocation {
  /// A job keeps what it was launched with, so in one of its rows such a `set` would change nothing.
  func refuseInLaunched(_ setting: SettingDefinition) throws {
    guard setting.shapesAnswers, context.launch != nil else { return }
    throw error(
      "`set \(setting.name)` changes nothing here: what runs keeps the settings it was launched with",
      help: "`with --\(setting.name) … { … }` or a flag of the command sets it for what is sent here")
  }

  /// Changes a setting of the session, and says what it does not change.
  func change(_ setting: SettingDefinition, to value: Value) {
    let before = setting.shown(session.settings).text
    let author = author
    session.change(by: author) { setting.put(&$0, value) }
    let after = setting.shown(session.settings).text
    if before == after { return }
    // What the limiter is told, it writes down itself.
    if setting.shapesAnswers {
      world.engine.limiter.note(.answers(name: setting.name, from: before, to: after), by: author, rows: session.launchedRows)
    } else if setting.steersCalls, !["concurrency", "rps", "rpm", "tpm", "budget"].contains(setting.name) {
      world.engine.limiter.note(.set(name: setting.name, from: before, to: after), by: author, rows: session.launchedRows)
    }
    noteRunning(setting)
  }

  /// Says which jobs go on as they were launched.
  private func noteRunning(_ setting: SettingDefinition) {
    guard setting.shapesAnswers else { return }
    let running = session.jobs.filter { !$0.job.isOver && $0.job.isNews("set \(setting.name)") }.map(\.job)
    guard let first = running.first?.typedName else { return }
    world.output.note(
      "\(running.map(\.name).joined(separator: ", ")) \(running.count == 1 ? "goes" : "go") on as launched\n"
        + "  = `set \(setting.name) … for \(first)` changes the rows that are not sent yet")
  }

  /// `set model a/b temperature 0.2 for facts`: nil where it is something else.
  func setForJob() async throws -> Bool {
    var words = command.words[...]
    guard words.count >= 4, case .word("for") = words[words.endIndex - 2].node, let target = words.last,
      let first = words.first, try setting(first).shapesAnswers
    else { return false }
    words = words.dropLast(2)
    let handle = try job(target)
    guard let launch = handle.launch, !handle.job.isOver else {
      throw error(
        "\(handle.job.name) is over", at: target.span,
        help: "`retry \(handle.job.typedName) --\(try setting(first).name) …` sends what failed")
    }
    if launch.isRetry {
      let setting = try setting(first).name
      throw error(
        "`\(handle.job.name)` makes rows again with the settings that they had", at: first.span,
        help: "`cancel \(handle.job.typedName)`, and `retry … --\(setting) …` makes the others with another")
    }
    var changes: [Context.Override] = []
    while let word = words.popFirst() {
      let setting = try setting(word)
      guard setting.shapesAnswers else {
        throw error("`\(setting.name)` cannot be set for one job together with others", at: word.span, help: "a line of its own sets it")
      }
      guard let given = words.popFirst() else { throw error("`set \(setting.name)` needs a value", at: word.span) }
      if launch.isAxis(setting.name) {
        throw error(
          "\(handle.job.name) tries several values of `\(setting.name)`", at: word.span,
          help: "an axis of a sweep stays as it was launched; `cancel \(handle.job.typedName)` and a new `map` try others")
      }
      let value = try context.located(given.span) {
        [given = try await context.value(given, isValue: { (try? setting.read($0)) != nil })] () throws(OperationError) in
        try setting.read(given)
      }
      if setting.name == "model" { try checkModelName(value.text, at: given.span) }
      changes.append(Context.Override(setting: setting, value: value))
    }
    launch.change(changes)
    let what = changes.map { "\($0.setting.name) \($0.setting.shown($0.value))" }.joined(separator: ", ")
    let change = LimitChange.What.answersOfJob(what, fromRow: handle.job.progress.launched)
    world.engine.limiter.note(change, of: handle.job, by: author)
    world.output.note("\(handle.job.name): \(LimitChange(at: .zero, .session, change, by: author).text.oneLine)")
    return true
  }
}

extension SettingDefinition {
  fileprivate func shown(_ value: Value) -> String { if case .nothing = value { "off" } else { value.text } }
}
