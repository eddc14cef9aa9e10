import Chat

/// A way in which a call may be answered before it is sent: from memory, from a record of an earlier run. Routes are asked in their
/// order, before the call asks for leave; what none of them answers goes to its server.
public protocol CallRoute: Sendable {
  /// The answer where it is there already, at once; nil where the call goes on. Whether the call's settings allow it is the route's to
  /// see. Must not block: it may run on the thread that reads the network.
  func answer(_ call: PreparedCall) -> Attempt?
}

/// Hears of calls as they are sent and as they end, to keep a record of them. Must not block either.
public protocol CallLedger: Sendable {
  /// Before its request leaves; a retry or a second call beside a late one is an attempt of its own.
  func sending(_ call: PreparedCall, attempt: Int)
  /// It is over, however it was answered: heard before whoever made the call hears of it.
  func ended(_ call: PreparedCall, _ reply: Reply)
}
