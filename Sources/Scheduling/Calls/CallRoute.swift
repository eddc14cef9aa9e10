import Chat
import Threads

/// A way in which a call may be answered before it is sent: from memory, from a record of an earlier run. Routes are asked in their
/// order, before the call asks for leave; what none of them answers goes to its server.
public protocol CallRoute: Sendable {
  /// Whether a call with these settings may be answered so.
  func allows(_ settings: (any CallSettings)?) -> Bool
  /// The answer where it is there already, at once; nil where the call goes on. Must not block: it may run on the thread that reads the
  /// network.
  func answer(_ call: PreparedCall) -> Attempt?
}

extension CallRoute {
  public func allows(_ settings: (any CallSettings)?) -> Bool { true }
}

/// Hears of calls as they are sent and as they end, to keep a record of them. Must not block either.
public protocol CallLedger: Sendable {
  /// Before its request leaves; a retry or a second call beside a late one is an attempt of its own.
  func sending(_ call: PreparedCall, attempt: Int)
  /// It is over, however it was answered: heard before whoever made the call hears of it.
  func ended(_ call: PreparedCall, _ reply: Reply)
}

/// The routes of a session in the order in which they are asked, and its ledgers. The session may set both at any moment: what holds for a
/// call is what was set when it came.
public final class CallRoutes: Sendable {
  private let state: Mutex<(order: [any CallRoute], ledgers: [any CallLedger])>

  public init(_ order: [any CallRoute] = [], ledgers: [any CallLedger] = []) {
    state = Mutex((order, ledgers))
  }

  public var order: [any CallRoute] {
    get { state.withLock { $0.order } }
    set { state.withLock { $0.order = newValue } }
  }

  public var ledgers: [any CallLedger] {
    get { state.withLock { $0.ledgers } }
    set { state.withLock { $0.ledgers = newValue } }
  }

  /// By the first route that has the answer.
  func answer(_ call: PreparedCall) -> Attempt? {
    for route in order where route.allows(call.settings) { if let attempt = route.answer(call) { return attempt } }
    return nil
  }
}
