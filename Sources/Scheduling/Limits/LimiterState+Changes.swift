import Chat

/// What somebody sets while calls are under way, and what is written down of it.
extension LimiterState {
  /// Runs a change that somebody makes: with it is written down how many rows of each job are launched.
  mutating func counting(_ rows: [JobID: Int], _ body: (inout LimiterState) -> Void) {
    self.rows = rows
    body(&self)
    self.rows = [:]
  }

  mutating func configure(_ new: Limits, by author: ChangeAuthor, now: Duration) {
    let old = limits
    if old == new { return }
    limits = new
    budget.limit = new.tokenBudget
    for lane in lanes.indices { lanes[lane].configure(new, now: now) }
    for provider in providers.indices { providers[provider].configure(new) }
    note("concurrency", old.width.words, new.width.words, .session, author, now)
    noteRates(old.unnamed, new.unnamed, .session, author, now)
    note("token budget", words(old.tokenBudget), words(new.tokenBudget), .session, author, now)
    for name in Set(old.places.keys).union(new.places.keys).sorted() {
      let place = ModelName(name).map(LimitChange.Place.model) ?? .provider(name)
      noteRates(old.places[name] ?? .none, new.places[name] ?? .none, place, author, now)
    }
    if old.width != new.width { noteMachine(now) }
  }

  mutating func note(
    _ name: String, _ from: String, _ to: String, _ place: LimitChange.Place, _ author: ChangeAuthor, _ now: Duration
  ) {
    if from != to { history.note(LimitChange(at: now, place, .set(name: name, from: from, to: to), by: author, rows: rows)) }
  }

  mutating func noteRates(
    _ old: Limits.Own, _ new: Limits.Own, _ place: LimitChange.Place, _ author: ChangeAuthor, _ now: Duration
  ) {
    let none = if case .job = place { "no cap" } else { "off" }
    note("concurrency", old.concurrency.map(String.init) ?? none, new.concurrency.map(String.init) ?? none, place, author, now)
    note("rps", words(old.requestsPerSecond), words(new.requestsPerSecond), place, author, now)
    note("rpm", words(old.requestsPerMinute), words(new.requestsPerMinute), place, author, now)
    note("tpm", words(old.tokensPerMinute), words(new.tokensPerMinute), place, author, now)
  }

  func words(_ limit: Int?) -> String { limit.map(String.init) ?? "off" }

  mutating func set(_ own: Limits.Own, for job: JobID, by author: ChangeAuthor, now: Duration) {
    let queue = queueIndex(making: job)
    let before = queues[queue].floor.own
    queues[queue].floor.configure(own)
    noteRates(before, own, .job(job), author, now)
  }

  func own(of job: JobID) -> Limits.Own { queueIndex(of: job).map { queues[$0].floor.own } ?? .none }

  mutating func setPaused(_ paused: Bool, _ job: JobID, reason: String?, by author: ChangeAuthor, now: Duration) {
    let queue = queueIndex(making: job)
    guard queues[queue].isPaused != paused else { return }
    queues[queue].isPaused = paused
    if !paused {
      queues[queue].resumedAt = now
      for line in queues[queue].lines where hasQuiet { asked(line.lane, now) }
    }
    history.note(LimitChange(at: now, .job(job), paused ? .paused(reason) : .resumed, by: author, rows: rows))
  }

  mutating func note(_ change: LimitChange) { history.note(change) }
}
