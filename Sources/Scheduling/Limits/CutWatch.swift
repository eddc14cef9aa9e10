import DequeModule

/// Watches for a server that cuts the streams it has when another request comes. Whether that is so, one call finds out that goes
/// alone.
struct CutWatch: Sendable {
  private enum State {
    case watching
    /// The next call goes when nothing else is under way.
    case waiting(width: Int)
    case looking(width: Int)
  }

  enum Change: Equatable {
    case looksAlone(cut: Int, of: Int)
    /// `from`: calls that were under way. `isSure`: one call had gone alone, and was answered.
    case narrowed(from: Int, to: Int, isSure: Bool)
    case widthIsNotWhy
    /// So many looks came to no end that tells.
    case lookGivenUp(looks: Int)
  }

  private static let inARow = 3
  private static let mostLooks = 3
  private var state = State.watching
  /// Of the last answers and cuts, which were cuts.
  private var recent: Deque<Bool> = []
  private var cutsInARow = 0
  /// Calls that began before are no sign of how it is now.
  private var since: Duration = .zero
  /// Width was found not to be why: not looked at again before.
  private var quietUntil: Duration = .zero
  /// Looks that came to no end that tells.
  private var lost = 0

  var isAlone: Bool { if case .watching = state { false } else { true } }
  var mayTake: Bool { if case .looking = state { false } else { true } }

  mutating func took() -> Bool {
    guard case .waiting(let width) = state else { return false }
    state = .looking(width: width)
    return true
  }

  private var share: Double { recent.isEmpty ? 1 : Double(recent.count { !$0 }) / Double(recent.count) }

  private mutating func note(_ isCut: Bool) {
    if recent.count == 16 { recent.removeFirst() }
    recent.append(isCut)
    cutsInARow = isCut ? cutsInARow + 1 : 0
  }

  /// A call broke off.
  ///
  /// - Parameters:
  ///   - inUse: calls under way, itself included.
  ///   - mayWait: whether one call may go alone first; else the width is narrowed at once.
  mutating func cut(began: Duration, isLook: Bool, inUse: Int, mayWait: Bool, now: Duration) -> Change? {
    if isLook, case .looking = state {
      restart(now)
      quietUntil = now + .seconds(60)
      return .widthIsNotWhy
    }
    guard case .watching = state, began >= since else { return nil }
    note(true)
    guard inUse > 1, now >= quietUntil, cutsInARow >= Self.inARow, recent.count < 8 || share <= 0.5 else { return nil }
    let (cut, of) = (recent.count { $0 }, recent.count)
    guard mayWait else {
      let width = max(1, Int(Double(inUse) * share))
      restart(now)
      return .narrowed(from: inUse, to: width, isSure: false)
    }
    state = .waiting(width: inUse)
    return .looksAlone(cut: cut, of: of)
  }

  mutating func answered(began: Duration, isLook: Bool, now: Duration) -> Change? {
    if isLook, case .looking(let width) = state {
      let narrow = max(1, Int(Double(width) * share))
      restart(now)
      return .narrowed(from: width, to: narrow, isSure: true)
    }
    if began >= since { note(false) }
    return nil
  }

  /// The call that looked came to no end that tells (refused, a silence, a mistake in the request): another may go, a few times.
  ///
  /// - Parameter isCancelled: it says nothing, and does not count.
  mutating func lookLost(isCancelled: Bool, now: Duration) -> Change? {
    guard case .looking(let width) = state else { return nil }
    if !isCancelled { lost += 1 }
    guard lost >= Self.mostLooks else {
      state = .waiting(width: width)
      return nil
    }
    defer {
      restart(now)
      quietUntil = now + .seconds(60)
    }
    return .lookGivenUp(looks: lost)
  }

  /// The server went down and came back: what broke off then says nothing of the width.
  mutating func restart(_ now: Duration) {
    state = .watching
    recent.removeAll()
    cutsInARow = 0
    lost = 0
    since = now
  }
}
