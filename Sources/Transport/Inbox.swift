import Threads

/// What other threads ask of the curl thread.
enum Command {
  case start(Transfer)
  case cancel(Transfer)
  case resume(Transfer)
  case job(UnownedJob)
  case stop
}

/// The one door to the curl thread: a FIFO of commands, and a wake-up only where the thread has declared itself asleep.
///
/// That start and cancel of one transfer go through the same queue is what makes cancelling safe at any moment.
final class Inbox: Sendable {
  private struct State {
    var commands: [Command] = []
    var isAsleep = false
    var wake: (@Sendable () -> Void)?
  }

  // `UnownedJob` and `Transfer` cross threads here and only here; the queue hands each to exactly one taker.
  private let state = Mutex(State())

  func post(_ command: sending Command) {
    let wake = state.withLock { state -> (@Sendable () -> Void)? in
      state.commands.append(command)
      guard state.isAsleep else { return nil }
      state.isAsleep = false
      return state.wake
    }
    wake?()
  }

  func setWake(_ wake: @escaping @Sendable () -> Void) {
    state.withLock { $0.wake = wake }
  }

  /// Swaps the queue for an empty one, so that its storage is used again and again.
  func take(into commands: inout [Command]) {
    commands.removeAll(keepingCapacity: true)
    state.withLock { swap(&$0.commands, &commands) }
  }

  /// Whether the thread may sleep: true declares it asleep; false where commands have come meanwhile.
  func fallAsleep() -> Bool {
    state.withLock { state in
      guard state.commands.isEmpty else { return false }
      state.isAsleep = true
      return true
    }
  }

  func awake() {
    state.withLock { $0.isAsleep = false }
  }
}
