import Chat
import Language
import Scheduling
import Threads

extension CommandDefinition {
  static let stream = CommandDefinition(
    name: "stream", group: .talk, summary: "sends a prompt and shows the reply as it arrives; several side by side, where there is room",
    usage: [
      "stream \"prompt\"", "stream prompt argument …", "stream map items \"prompt with {it}\"", "stream \"prompt\" --model [a, b]",
      "? words to the end of the line",
    ], arguments: 1...20, takesInput: true,
    flags: [FlagDefinition(name: "raw", summary: "print control characters as they are (to a pipe)", isSwitch: true)],
    takesRequestFlags: true, showsItself: true,
    examples: [
      "stream \"Write a short story about a time-traveling scientist.\"", "stream map [\"a forest\", \"a city\"] \"A story about {it}.\"",
    ]
  ) { call in
    if let many = call.command.asManyStreams(in: call.context) { return .value(.list(try await call.streamedSideBySide(many))) }
    let context = try await call.callContext()
    let messages = try await call.singlePrompt(context)
    let row = try await call.streamed(messages, context)
    return .value(.reply(row))
  }
}

extension Invocation {
  /// Sends messages and shows the reply's text as it comes.
  ///
  /// - Throws: where the text cannot be written (a closed pipe, a full disk); the call is cancelled then.
  func streamed(_ messages: [Message], _ context: Context) async throws -> ReplyRow {
    let (raw, output) = (has("raw"), world.output)
    let problem = Mutex<(any Error)?>(nil)
    let row = await JobScope.single(self, context, showsProgress: false) { context in
      let shown = output.reply(named: context.job?.name ?? definition.name, of: context.job, raw: raw)
      let observed = observer(of: shown, context.job) { error in problem.withLock { $0 = error } }
      let row = ReplyRow(await context.call(messages, observer: observed).reply, index: 0, item: .nothing)
      do { try await shown.end() } catch { problem.withLock { $0 = $0 ?? error } }
      if let error = row.reply.error {
        let isStopped = error.kind == .cancelled
        shown.note(isStopped ? "stopped; `_.partial` keeps the text so far" : "\(error.description)\n  = \(error.advice)")
      } else if row.reply.attempt.finish == .length {
        shown.note("cut at max-tokens")
      }
      return row
    }
    if let problem = problem.withLock({ $0 }) { throw error("\(problem)") }
    session.assign("_", .reply(row), in: session.globals)
    return row
  }

  /// Shows a reply as it comes.
  ///
  /// - Parameter failed: told where it could not be written; the job is cancelled then.
  private func observer(
    of reply: any ReplyOutput, _ job: Job?, failed: @escaping @Sendable (any Error) -> Void
  ) -> CallEngine.Observer {
    let callbacks = session.callbacks
    let isBroken = Atomic(false)
    let hasShown = Atomic(false)
    var observer = CallEngine.Observer()
    observer.watch = { feed, attempt in
      if attempt > 1, hasShown.exchange(false, ordering: .relaxed) {
        // What a broken stream had shown is not the answer.
        try? await reply.end()
        reply.note("the stream broke off; here it is from the start:")
      }
      while let text = await feed.next() {
        hasShown.store(true, ordering: .relaxed)
        if !callbacks.isEmpty { callbacks.token(text) }
        if isBroken.load(ordering: .relaxed) { continue }
        do {
          try await reply.put(text)
        } catch {
          isBroken.store(true, ordering: .relaxed)
          failed(error)
          job?.cancel()
        }
      }
    }
    observer.willRetry = { failure, _, wait in reply.note("\(failure.description); trying again in \(wait.short)") }
    return observer
  }
}
