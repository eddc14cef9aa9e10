import Language
import Scheduling

extension Session {
  /// What is wrong with a text, as far as that can be known without running it: syntax, names, commands, flags, settings.
  public func check(_ source: Source) -> [Diagnostic] {
    let parsed = Parser.parse(source, vocabulary: vocabulary)
    if !parsed.diagnostics.isEmpty { return parsed.diagnostics }
    return StaticChecker(session: self).check(parsed.program)
  }

  /// Runs a text at the top of the session, and waits for the background work it started. Values of statements are shown.
  public func run(_ source: Source) async -> Result<Void, any Error> {
    var context = rootContext
    context.source = source
    context.showsValues = true
    defer { memberships.forget() }
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
  /// - Parameter author: whose line it is.
  public func runLine(_ program: Program, by author: ChangeAuthor = .terminal) async -> Result<Void, any Error> {
    await ChangeAuthor.$current.withValue(author) { await run(line: program) }
  }

  private func run(line program: Program) async -> Result<Void, any Error> {
    var context = rootContext
    context.source = program.source
    context.showsValues = true
    defer { memberships.forget() }
    do {
      _ = try await context.run(program.block)
      return .success(())
    } catch {
      return .failure((error as? Diagnostic)?.located(in: program.source) ?? error)
    }
  }
}
