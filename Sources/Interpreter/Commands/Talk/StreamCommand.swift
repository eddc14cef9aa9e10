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
    let raw = has("raw")
    let output = world.output
    let callbacks = session.callbacks
    let problem = Mutex<(any Error)?>(nil)
    let shown = Mutex("")
    let job = Mutex<Job?>(nil)
    var observer = CallEngine.Observer()
    observer.watch = { feed, attempt in
      if attempt > 1, !shown.withLock({ $0.isEmpty }) {
        // What a broken stream had shown is not the answer.
        try? output.endTokens()
        output.note("the stream broke off; here it is from the start:")
        shown.withLock { $0 = "" }
      }
      while let text = await feed.next() {
        shown.withLock { $0 += text }
        if !callbacks.isEmpty { callbacks.token(text) }
        if problem.withLock({ $0 != nil }) { continue }
        do {
          try output.token(text, raw: raw)
        } catch {
          problem.withLock { $0 = error }
          job.withLock { $0 }?.cancel()
        }
      }
    }
    observer.willRetry = { failure, _, wait in output.note("\(failure.description); trying again in \(wait.short)") }
    let observed = observer
    let row = await JobScope.single(self, context, showsProgress: false) { context in
      job.withLock { $0 = context.job }
      return ReplyRow(await context.call(messages, observer: observed).reply, index: 0, item: .nothing)
    }
    if let problem = problem.withLock({ $0 }) { throw error("\(problem)") }
    do { try output.endTokens() } catch { throw self.error("\(error)") }
    if let error = row.reply.error {
      let isStopped = error.kind == .cancelled
      output.note(isStopped ? "stopped; `_.partial` keeps the text so far" : "\(error.description)\n  = \(error.kind.advice)")
    } else if row.reply.attempt.finish == .length {
      output.note("cut at max-tokens")
    }
    session.globals.set("_", .reply(row))
    return row
  }
}
