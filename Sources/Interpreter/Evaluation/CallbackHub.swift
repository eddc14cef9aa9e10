import Chat
import Language
import Scheduling
import Threads

/// What `on` can wait for.
public enum CallbackEvents {
  public static let names = ["start", "token", "retry", "end", "error"]
}

/// `on start|token|retry|end|error { … }`: runs the blocks one event after the other on a task of its own, so that they never delay
/// a call. A block that fails is reported once and switched off.
final class CallbackHub: Sendable {
  static let events = CallbackEvents.names

  private struct State {
    var blocks: [String: (block: Block, context: Context)] = [:]
    var queue: AsyncStream<Work>.Continuation?
    var runner: Task<Void, Never>?
  }

  private enum Work: Sendable {
    case event(String, Record)
    case mark(@Sendable () -> Void)
  }

  private let state = Mutex(State())
  private let hasBlocks = Atomic(false)
  private let output: any Output

  init(output: any Output) {
    self.output = output
  }

  /// Read for every call: one atomic load where there are none.
  var isEmpty: Bool { !hasBlocks.load(ordering: .relaxed) }

  func set(_ event: Name, _ block: Block, _ context: Context) throws {
    guard Self.events.contains(event.text) else {
      throw context.error("there is no event `\(event.text)`", at: event.span, help: Suggestion.help(for: event.text, among: Self.events))
    }
    var inner = context
    (inner.jobScope, inner.row, inner.tracker, inner.remarks, inner.family, inner.showsValues) = (nil, nil, nil, nil, nil, false)
    // Callbacks run on the session's variables and settings as they are then.
    (inner.launch, inner.begun, inner.launchedOverrides, inner.isCallback) = (nil, nil, nil, true)
    inner.launchedBy = nil
    inner.scope = context.scope.live
    inner.scope.keepForCallback()
    state.withLock { state in
      state.blocks[event.text] = (block, inner)
      if state.queue == nil {
        let (stream, continuation) = AsyncStream.makeStream(of: Work.self)
        state.queue = continuation
        state.runner = Task { [weak self] in for await work in stream { await self?.run(work) } }
      }
    }
    hasBlocks.store(true, ordering: .relaxed)
  }

  /// False if there was none.
  func remove(_ event: String) -> Bool {
    state.withLock { state in
      let removed = state.blocks.removeValue(forKey: event) != nil
      hasBlocks.store(!state.blocks.isEmpty, ordering: .relaxed)
      return removed
    }
  }

  /// Waits until the events so far have been dealt with.
  ///
  /// - Throws: `CancellationError` where the task was cancelled first.
  func drain() async throws {
    if isEmpty { return }
    let wait = Wait()
    if state.withLock({ $0.queue })?.yield(.mark { wait.end() }) == nil { return }
    try await wait.value()
  }

  // MARK: told of calls

  /// An observer that tells of a call's tries, around the one that a command has.
  func observer(_ request: ChatRequest, _ inner: CallEngine.Observer?) -> CallEngine.Observer {
    var observer = inner ?? CallEngine.Observer()
    let prompt = request.messages.last?.text ?? ""
    let willSend = observer.willSend
    observer.willSend = { sent in
      willSend?(sent)
      self.post("start", [("prompt", .text(prompt)), ("model", .text(sent.model.description))])
    }
    if observer.watch == nil, listens("token") {
      observer.watch = { feed, _ in
        while let text = await feed.next() { self.token(text) }
      }
    }
    let willRetry = observer.willRetry
    observer.willRetry = { failure, attempt, wait in
      willRetry?(failure, attempt, wait)
      self.post("retry", [("prompt", .text(prompt)), ("error", failure.value), ("attempt", .int(attempt)), ("wait", .duration(wait))])
    }
    return observer
  }

  func token(_ text: String) {
    post("token", [("text", .text(text))])
  }

  func ended(_ answer: ReplyRow) {
    let (reply, row) = (answer.reply, Value.reply(answer))
    let prompt = Value.text(reply.prompt)
    if let failure = reply.failure {
      post("error", [("prompt", prompt), ("error", failure.value), ("reply", row)])
    } else {
      post("end", [("prompt", prompt), ("reply", row)])
    }
  }

  private func listens(_ event: String) -> Bool { state.withLock { $0.blocks[event] != nil } }

  private func post(_ event: String, _ fields: [(name: String, value: Value)]) {
    guard listens(event) else { return }
    _ = state.withLock { $0.queue?.yield(.event(event, Record([("name", .text(event))] + fields))) }
  }

  private func run(_ work: Work) async {
    switch work {
    case .mark(let mark): mark()
    case .event(let event, let record):
      guard let (block, context) = state.withLock({ $0.blocks[event] }) else { return }
      var inner = context
      // What a block sets, it sets where it was written.
      inner.scope = Scope(parent: context.scope, fixed: ["event": .record(record)])
      do {
        _ = try await inner.run(block)
      } catch let diagnostic as Diagnostic {
        _ = remove(event)
        output.note(diagnostic.located(in: context.source).formatted() + "\n`on \(event)` is switched off")
      } catch {
        // The session is ending.
      }
    }
  }
}
