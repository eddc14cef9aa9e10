import Chat

/// What governs all calls to one provider: what the user has set for it, and whether its server is there at all.
struct ProviderFloor: Sendable {
  let name: String
  var floor: Floor
  var outage = Outage()
  /// Jobs that wait no longer for its server to come back.
  var givenUp = GivenUp()

  init(_ name: String, _ limits: Limits) {
    self.name = name
    floor = Floor(limits.own(ofProvider: name))
  }

  mutating func configure(_ limits: Limits) { floor.configure(limits.own(ofProvider: name)) }

  /// The moment from which a call may go; nil where only the end of another call can tell.
  mutating func opens(for amount: Int, now: Duration) -> Duration? {
    if floor.isFull { return nil }
    // While one looks, whether it is being answered is seen to now and then.
    guard let opening = outage.opens(now: now) else { return now + Lane.glance }
    return max(opening, floor.opens(for: amount, now: now))
  }

  mutating func shut(for amount: Int, now: Duration) -> LaneShut? {
    if let since = outage.since { return LaneShut(name: name, until: outage.opens(now: now), reason: .down(since: since)) }
    guard let rate = floor.binding(for: amount, now: now) else { return nil }
    return LaneShut(name: name, until: floor.opens(for: amount, now: now), reason: .rate(rate, of: .place(name)))
  }

  /// - Returns: what it changed.
  mutating func ended(_ permit: Permit, _ outcome: CallOutcome, downWait: Duration?, now: Duration) -> LimitChange.What? {
    floor.ended(permit.providerEntry, used: outcome.tokens)
    let change: Outage.Change?
    switch outcome.verdict {
    case .unreachable:
      change = outage.unreachable(
        began: permit.granted, isLook: permit.looksForServer, waits: outcome.mayRetry ? downWait : nil, now: now)
    case .silent:
      if permit.looksForServer { outage.lookLost(now: now) }
      change = nil
    case .cut, .troubled, .queued:
      // A stream that broke off or a silence may well be the end of a server that just went.
      if permit.looksForServer { outage.lookLost(now: now) }
      change = outcome.heardStatus ? answered(began: permit.granted, now: now) : nil
    case .answered, .other, .refused: change = answered(began: permit.granted, now: now)
    }
    return told(change)
  }

  /// Whoever waits no longer may again.
  private mutating func answered(began: Duration, now: Duration) -> Outage.Change? {
    givenUp.removeAll()
    return outage.answered(began: began, now: now)
  }

  /// What is known of the call that looks whether the server is back, before it has ended.
  mutating func glance(now: Duration) -> LimitChange.What? {
    guard let change = outage.isAnswering(now: now) else { return nil }
    givenUp.removeAll()
    return told(change)
  }

  private func told(_ change: Outage.Change?) -> LimitChange.What? {
    switch change {
    case .down: return .down
    case .back(let after): return .back(after: after)
    case .gaveUp(let after): return .gaveUp(after: after)
    case nil: return nil
    }
  }
}
