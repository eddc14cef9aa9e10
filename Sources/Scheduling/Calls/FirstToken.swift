import Threads

/// Whether a call's first token has come, and whether another was sent beside it meanwhile.
final class FirstToken: Sendable {
  private let arrived = Atomic(false)
  private let hedge = Atomic(false)

  var hasCome: Bool { arrived.load(ordering: .acquiring) }
  var isHedged: Bool { hedge.load(ordering: .acquiring) }
  func come() { arrived.store(true, ordering: .releasing) }
  func noteHedge() { hedge.store(true, ordering: .releasing) }
}
