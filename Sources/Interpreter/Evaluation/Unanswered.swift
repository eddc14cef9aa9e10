import Chat
import Threads

/// The prompts of a session that have no answer, for the exit status: what is true at the end, not what happened on the way.
///
/// A call that failed is one. Another try of the same prepared call that is answered takes it off. A function that looked at a failure
/// has dealt with it, unless it hands the failed reply out.
final class Unanswered: Sendable {
  private struct Entry {
    var call: PreparedCall
    /// It failed where no function could deal with it, or came out of one.
    var isFinal: Bool
  }

  private struct State {
    var entries: [ObjectIdentifier: Entry] = [:]
    /// Those of which no more than their number is kept.
    var uncounted = 0
  }

  /// Beyond this a run that streams from file to file would hold every prompt that failed.
  private static let kept = 100_000

  private let state = Mutex(State())

  var count: Int { state.withLock { $0.entries.count + $0.uncounted } }

  /// - Parameter isFinal: false within a function, which may yet deal with it.
  func add(_ reply: Reply, isFinal: Bool) {
    guard let failure = reply.failure, failure.kind != .cancelled || reply.isFromFile else { return }
    state.withLock { state in
      let key = ObjectIdentifier(reply.call)
      if state.entries[key] != nil {
        if isFinal { state.entries[key]?.isFinal = true }
      } else if state.entries.count < Self.kept {
        state.entries[key] = Entry(call: reply.call, isFinal: isFinal)
      } else if isFinal {
        state.uncounted += 1
      }
    }
  }

  /// Prompts that were not sent, and that nobody holds.
  func add(unsent count: Int) { state.withLock { $0.uncounted += count } }

  /// A function has looked at what became of the call.
  func settle(_ reply: Reply) {
    state.withLock { state in
      let key = ObjectIdentifier(reply.call)
      if state.entries[key]?.isFinal == false { state.entries[key] = nil }
    }
  }

  /// The call was answered after all, or is not needed any more.
  func remove(_ call: PreparedCall) { state.withLock { $0.entries[ObjectIdentifier(call)] = nil } }
}

/// The calls of a branch that may turn out not to be needed (`race`): their failures are forgotten then.
///
/// And whether anything in it was held back or cancelled: what was made without that is not what was asked for.
final class Attempted: Sendable {
  private let held = Mutex<(notSent: Failure?, isCancelled: Bool)>((nil, false))
  private let calls = Mutex<[PreparedCall]>([])
  private let lastReply = Mutex<Reply?>(nil)
  private let outer: Attempted?
  /// Whether what is held back in it is missed in the one around.
  private let isMissed: Bool

  /// - Parameter isMissed: false for a branch that may turn out not to be needed.
  init(within outer: Attempted?, isMissed: Bool = true) {
    (self.outer, self.isMissed) = (outer, isMissed)
  }

  private convenience init(_ calls: [PreparedCall], _ last: Reply?) {
    self.init(within: nil)
    self.calls.withLock { $0 = calls }
    lastReply.withLock { $0 = last }
  }

  /// What became of the last of them.
  var last: Reply? { lastReply.withLock { $0 } }

  func add(_ reply: Reply) { add(reply, holds: true) }

  private func add(_ reply: Reply, holds: Bool) {
    calls.withLock { $0.append(reply.call) }
    lastReply.withLock { $0 = reply }
    if holds, let failure = reply.failure { noteHeld(failure) }
    outer?.add(reply, holds: holds && isMissed)
  }

  /// A part of it has failed so without a call: a row that was never begun.
  func hold(_ failure: Failure) {
    noteHeld(failure)
    if isMissed { outer?.hold(failure) }
  }

  /// It is needed after all.
  func isNeeded() { if let heldBack { outer?.hold(heldBack) } }

  private func noteHeld(_ failure: Failure) {
    switch failure.kind {
    case .notSent: held.withLock { $0.notSent = $0.notSent ?? failure }
    case .cancelled: held.withLock { $0.isCancelled = true }
    default: break
    }
  }

  /// Why what was made is not all that was asked for; nil where it is. Parts that were cancelled count only where the whole was, or is
  /// about to be: a branch that lost a race, or took too long, is missed by nobody.
  func cut(isCancelled: Bool) -> Failure? {
    let held = held.withLock { $0 }
    if isCancelled, held.isCancelled || held.notSent != nil { return Failure(.cancelled, "cancelled") }
    return held.notSent
  }

  /// The same where that does not matter.
  var heldBack: Failure? { cut(isCancelled: false) ?? cut(isCancelled: true) }

  /// Whether nothing in it has failed, or was held back.
  var isEmpty: Bool { calls.withLock { $0.isEmpty } && heldBack == nil }

  /// The calls so far, for a row to keep; nil where there are none.
  var ifAny: Attempted? {
    let calls = calls.withLock { $0 }
    return calls.isEmpty ? nil : Attempted(calls, last)
  }

  /// The same of what was cut, and that it was.
  var cut: Attempted {
    let copy = Attempted(calls.withLock { $0 }, last)
    let held = held.withLock { $0 }
    copy.held.withLock { $0 = held }
    return copy
  }

  func forget(_ unanswered: Unanswered) { for call in calls.withLock({ $0 }) { unanswered.remove(call) } }
}
