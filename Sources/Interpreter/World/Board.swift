import Chat
import Threads

/// Where several replies are shown at once as they stream: a column each.
public protocol Board: Sendable {
  func put(_ column: Int, _ text: String) async
  /// The reply begins anew: what a broken stream had shown is not the answer.
  func restart(_ column: Int) async
  /// The reply is over; a note says what went wrong, if anything.
  func end(_ column: Int, note: String?) async
  /// All are over: what stands there stays.
  func close() async throws
}

/// The ends of replies that are streaming in now, for the screen to show under its progress. Only so many calls as are shown are
/// watched at all.
public final class Tails: Sendable {
  private struct State {
    var wanted = 0
    var slots: [Int: String] = [:]
  }

  private let state = Mutex(State())
  private let isWanted = Atomic(0)

  public init() {}

  /// How many are shown; read for every call.
  public var wanted: Int {
    get { isWanted.load(ordering: .relaxed) }
    set { isWanted.store(newValue, ordering: .relaxed) }
  }

  /// A place on the screen; nil where all are taken.
  func claim() -> Int? {
    let wanted = wanted
    return state.withLock { state in
      guard let free = (0..<wanted).first(where: { state.slots[$0] == nil }) else { return nil }
      state.slots[free] = ""
      return free
    }
  }

  func append(_ text: String, to slot: Int) {
    state.withLock { state in
      guard let old = state.slots[slot] else { return }
      // A line of any terminal is shorter.
      state.slots[slot] = String((old + text).suffix(400))
    }
  }

  func release(_ slot: Int) { state.withLock { $0.slots[slot] = nil } }

  /// What they end with now.
  public var lines: [String] { state.withLock { state in state.slots.sorted { $0.key < $1.key }.map(\.value) } }
}
