/// One thread changes something that another looks at, and waits until that one has seen it.
///
/// The other reads `asked`, then looks, then acknowledges: a change made before `ask` is seen by then, however the two run. Nobody waits
/// for a thread that has left.
public final class Acknowledgement: Sendable {
  private struct State {
    var asked = 0
    var seen = 0
    var hasLeft = false
  }

  private let state = Monitor(State())

  public init() {}

  /// Says that there is something to see; what it is stands there already.
  public func ask() -> Int {
    state.look { state in
      state.asked += 1
      return state.asked
    }
  }

  /// The latest that was asked, for the thread that looks: read before it does.
  public var asked: Int { state.look { $0.asked } }

  /// Everything up to here has been seen.
  public func acknowledge(_ number: Int) { state.change { $0.seen = max($0.seen, number) } }

  /// The thread that looks ends: nobody will see anything more.
  public func leave() { state.change { $0.hasLeft = true } }

  /// Returns when it has been seen, or when there is nobody left to see it.
  ///
  /// - Parameter milliseconds: how long to wait at most; nil for ever.
  /// - Returns: false where the time was over first.
  @discardableResult
  public func wait(for number: Int, milliseconds: Int? = nil) -> Bool {
    state.wait(milliseconds: milliseconds) { $0.seen >= number || $0.hasLeft }
  }
}
