import Chat
import Language
import Scheduling
import Threads

extension Context {
  /// Flags of a command, over what holds already.
  ///
  /// - Parameter isLaunched: whether they belong to the launch, so that `set … for JOB` comes over them.
  func adding(_ flags: [Override], isLaunched: Bool) -> Context {
    if flags.isEmpty { return self }
    var context = self
    context.overrides = overrides.isEmpty ? flags : overrides + flags
    if isLaunched, launchedOverrides == overrides.count { context.launchedOverrides = context.overrides.count }
    return context
  }

  /// A call with the settings that hold here, as it would be sent now.
  func prepared(_ messages: [Message]) -> PreparedCall { prepared(messages, sent) }

  private func prepared(_ messages: [Message], _ sent: AnswerSettings) -> PreparedCall {
    let settings = sent.settings
    var messages = messages
    if let system = settings.system, !messages.isEmpty, !messages.contains(where: { $0.role == .system }) {
      messages.insert(Message(.system, system), at: 0)
    }
    var request = ChatRequest(model: settings.model, messages: messages)
    request.sampling = settings.sampling
    request.timeouts = settings.timeouts
    request.streams = settings.streaming
    request.keepsThink = settings.keepsThink
    request.members = settings.members
    request.headers = settings.headers
    request.directory = (launch ?? begun)?.directory
    return PreparedCall(request, settings: sent)
  }

  /// Sends messages with the settings that hold here, and reads the answer in the form asked for. Never throws: a failure is a reply
  /// with an error.
  func call(_ messages: [Message], as form: ReplyForm? = nil, observer: CallEngine.Observer? = nil) async -> (reply: Reply, parsed: Value?)
  {
    guard let launch else { return await send(prepared(messages, sent.reading(as: form)), form, observer, revised: nil) }
    // What `set … for JOB` says while the call waits for leave holds for it already, if it is the first of its row.
    let version = Mutex(row?.outermost.version(of: launch.id) ?? launch.version)
    return await send(prepared(messages, sent.reading(as: form)), form, observer) {
      let now = row?.outermost.pin(launch.version, of: launch.id) ?? launch.version
      guard
        version.withLock({
          if $0 == now {
            return false
          } else {
            $0 = now
            return true
          }
        })
      else { return nil }
      return prepared(messages, sent.reading(as: form))
    }
  }

  /// Sends a call again with the settings it had, and reads the answer in its form. Settings that a retry names come over its own; what
  /// is live is as it is now.
  func call(again old: PreparedCall) async -> (reply: Reply, parsed: Value?) {
    let kept = old.settings as? AnswerSettings
    let form = kept?.form
    let before = kept?.settings ?? Settings(of: old.request)
    var settings = session.settings
    for setting in SettingDefinition.all where setting.shapesAnswers { setting.carry(from: before, to: &settings) }
    for override in overrides where !override.setting.shapesAnswers { override.setting.put(&settings, override.value) }
    for override in retried { override.setting.put(&settings, override.value) }
    var messages = old.request.messages
    // Its system message is put there anew, where the setting made it.
    if let system = before.system, messages.first == Message(.system, system) { messages.removeFirst() }
    let again = AnswerSettings(
      settings, changes: kept?.changes ?? [],
      retried: (kept?.retried ?? []) + retried.map { ($0.setting.columnName, $0.value) }, form: form,
      parameters: kept?.parameters ?? [])
    return await send(prepared(messages, again), form, nil, revised: nil)
  }

  private func send(
    _ call: PreparedCall, _ form: ReplyForm?, _ observer: CallEngine.Observer?, revised: (@Sendable () -> PreparedCall?)?
  ) async -> (reply: Reply, parsed: Value?) {
    let (policy, hedge) = tries(of: call)
    let job = job ?? session.makeJob("call", total: 1, isListed: false).job
    var observed = session.callbacks.isEmpty ? observer : session.callbacks.observer(call.request, observer)
    let slot = session.world.tails.wanted > 0 && observed?.watch == nil ? session.world.tails.claim() : nil
    if let slot { observed = session.world.tails.observer(slot, observed) }
    defer { if let slot { session.world.tails.release(slot) } }
    let received = await session.world.engine.call(
      call, in: job, policy: policy, hedge: hedge, row: row, observer: observed, revised: revised,
      budgetSpent: jobScope?.budgetSpent, unanswered: jobScope?.unanswered)
    let read = form?.read(received)
    let (reply, parsed) = (read?.1 ?? received, read?.0)
    job.called(reply)
    if reply.succeeded, reply.attempt.usage == nil, reply.attempts > 0, session.settings.limits.tokenBudget != nil {
      session.noteOnce("\(reply.model) states no usage: the token budget reckons with 3 bytes of prompt and 4 of answer a token")
    }
    row?.note(reply)
    if reply.succeeded {
      session.unanswered.remove(reply.call)
    } else {
      session.unanswered.add(reply, isFinal: depth == 0)
      attempted?.add(reply)
    }
    if !session.callbacks.isEmpty { session.callbacks.ended(ReplyRow(reply, index: 0, item: .nothing, parsed: parsed)) }
    return (reply, parsed)
  }

  /// How often it is tried, and beside which percentile a second call is sent.
  @inline(never)  // else all settings stand in the frame that waits for the answer
  private func tries(of call: PreparedCall) -> (RetryPolicy, hedge: Int?) {
    let settings = (call.settings as? AnswerSettings)?.settings ?? settings
    return (settings.retry, settings.hedge)
  }
}

extension Settings {
  /// What a request tells of the settings it was made with.
  fileprivate init(of request: ChatRequest) {
    self.init(model: request.model)
    sampling = request.sampling
    streaming = request.streams
    keepsThink = request.keepsThink
    members = request.members
    headers = request.headers
  }
}
