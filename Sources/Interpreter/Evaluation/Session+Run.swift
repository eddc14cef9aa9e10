import Language
import Names
import Scheduling

extension Session {
  /// What is wrong with a text, as far as that can be known without running it: syntax, names, commands, flags, settings.
  /// What is known of the rows that it goes through is checked too.
  ///
  /// - Parameter readsFiles: whether the files that it loads may be looked at.
  public func check(_ source: Source, readsFiles: Bool = true) -> [Diagnostic] {
    let parsed = Parser.parse(source, vocabulary: vocabulary)
    if !parsed.diagnostics.isEmpty { return parsed.diagnostics }
    return StaticChecker(session: self, readsFiles: readsFiles).check(parsed.program)
  }

  /// Says what looks like a hole in a line of the prompt and is none.
  private func warn(of program: Program) {
    guard isAttended else { return }
    let look = LookAlikes(program: program) { [globals] in
      globals.lookup($0) != nil
    } text: { [globals] in
      if case .text(let text)? = globals.lookup($0) { text } else { nil }
    }
    for warning in look.warnings() { world.output.note(warning.located(in: program.source).formatted()) }
  }

  /// Runs a text at the top of the session, and waits for the background work it started. Values of statements are shown.
  public func run(_ source: Source) async -> Result<Void, any Error> {
    title = source.name.split(separator: "/").last.map(String.init) ?? ""
    var context = rootContext
    context.source = source
    context.showsValues = true
    let parsed = Parser.parse(source, vocabulary: vocabulary)
    if let first = parsed.diagnostics.first { return .failure(first) }
    do {
      do { _ = try await context.run(parsed.program.block) } catch is ReturnSignal {}
      try await context.gatherChildren()
      try await callbacks.drain()
      return .success(())
    } catch {
      context.cancelChildren()
      try? await callbacks.drain()
      return .failure((error as? Diagnostic)?.located(in: source) ?? error)
    }
  }

  /// Runs a line of the prompt: background work goes on when the line is done.
  ///
  /// - Parameters:
  ///   - line: stops the rest of it where it is interrupted.
  ///   - author: whose line it is.
  public func runLine(_ program: Program, _ line: LineInHand = LineInHand(), by author: ChangeAuthor = .terminal) async -> Result<
    Void, any Error
  > {
    await ChangeAuthor.$current.withValue(author) { await run(line: program, line) }
  }

  private func run(line program: Program, _ line: LineInHand) async -> Result<Void, any Error> {
    var context = rootContext
    context.line = line
    context.source = program.source
    context.showsValues = true
    warn(of: program)
    do {
      _ = try await context.run(program.block)
      return .success(())
    } catch {
      return .failure((error as? Diagnostic)?.located(in: program.source) ?? error)
    }
  }

  /// Runs a line that came from elsewhere and only steers (`refusal(of:)`). What it shows goes to `output`; `_` stays what it is here.
  public func steer(_ program: Program, by author: ChangeAuthor, answering output: any Output) async -> Result<Void, any Error> {
    var context = rootContext
    context.source = program.source
    context.showsValues = true
    context.output = output
    let began = world.engine.time.now
    let result: Result<Void, any Error>
    do {
      _ = try await ChangeAuthor.$current.withValue(author) { [context] in try await context.run(program.block) }
      result = .success(())
    } catch {
      result = .failure((error as? Diagnostic)?.located(in: program.source) ?? error)
    }
    tellChanges(since: began, by: author)
    return result
  }

  /// The session's own log says who turned what.
  private func tellChanges(since began: Duration, by author: ChangeAuthor) {
    for line in world.engine.limiter.changes(since: began, by: author).map(logged) { world.output.note(line.oneLine) }
  }

  private func logged(_ change: LimitChange) -> String {
    let text = change.fullText()
    guard let id = change.job, let handle = reachableJobs.first(where: { $0.job.id == id }) else { return text }
    return "\(handle.job.name): \(text)"
  }
}
