import Chat
import Testing

@testable import Scheduling

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Random rounds: several jobs, models and servers of every kind under one limiter, while limits change, jobs pause and stop, and
/// waiters are cancelled. `PROMPTSH_LONG=1` plays 10⁵ of them.
@Suite struct LawTests {
  static let rounds = getenv("PROMPTSH_LONG") != nil ? 100_000 : 60

  @Test func theLawsHoldInRandomRounds() async {
    var (answered, failed, parked) = (0, 0, 0)
    for seed in 0..<Self.rounds {
      var round = LawRound(seed)
      let problem = round.play()
      #expect(problem == nil, "round \(seed): \(problem ?? "")")
      answered += round.answered
      failed += round.failed
      parked += round.parked
      // Other tests wait for the thread.
      await Task.yield()
    }
    // The rounds are about something.
    #expect(answered > 10 * Self.rounds && failed > 0 && parked > Self.rounds)
  }
}

/// One round, played out under a clock that its events turn.
struct LawRound {
  private static let models = ["p/a", "p/b", "q/a", "q/c"].compactMap(ModelName.init)

  private struct Row {
    var job: Int
    var lane: Int
    var begun: BegunRow?
    var standing = RetryStanding()
    var refused: Duration?
    var isOver = false
  }

  private enum Event {
    case ended(call: Int, Attempt)
    case retries(row: Int)
    case alarm, disturbance
  }

  private var limiter: LimiterState
  private var random: Seeded
  private var servers: [any SimulatedServer]
  private var rows: [Row] = []
  private let jobs: [Job]
  private let groups: [RowGroup]
  /// Rows that have not begun, by job and lane.
  private var unbegun: [[[Int]]]
  private var beginning: [Int: (job: Int, lane: Int)] = [:]
  private var waiting: [Int: Int] = [:]
  private var under: [Int: (row: Int, permit: Permit)] = [:]
  private var events: [(at: Duration, event: Event)] = []
  private var alarm: Duration?
  private var now: Duration = .zero
  private var calls = 0
  private var paused: Set<Int> = []
  private var problem: String?
  private var grants: [(at: Duration, provider: String)] = []
  private let perSecond: Int?
  private(set) var answered = 0
  private(set) var failed = 0
  /// Rows that waited for a lane while others of their job went on.
  private(set) var parked = 0

  init(_ seed: Int) {
    var random = Seeded(seed)
    var limits = Limits(width: random.below(3) == 0 ? Limits.adaptive : .fixed(1 + random.below(12)))
    perSecond = random.below(2) == 0 ? 2 + random.below(40) : nil
    if let perSecond {
      limits.places["q"] = Limits.Own()
      limits.places["q"]?.requestsPerSecond = perSecond
    }
    if random.below(2) == 0 {
      limits.places["p"] = Limits.Own()
      limits.places["p"]?.concurrency = 1 + random.below(6)
    }
    if random.below(2) == 0 {
      limits.places["p/a"] = Limits.Own()
      limits.places["p/a"]?.concurrency = 1 + random.below(4)
    }
    limiter = LimiterState(limits)
    servers = (0..<4).map { _ in Self.server(&random) }
    jobs = (0..<(1 + random.below(3))).map { Job(id: $0, name: "j", total: nil, time: SystemTimekeeper()) }
    groups = jobs.map { RowGroup($0, within: nil) }
    unbegun = jobs.map { _ in Array(repeating: [], count: 4) }
    for job in jobs.indices {
      for _ in 0..<(5 + random.below(30)) {
        let lane = random.below(4)
        unbegun[job][lane].append(rows.count)
        rows.append(Row(job: job, lane: lane))
      }
    }
    self.random = random
    for _ in 0..<random.below(12) { add(.milliseconds(self.random.below(4000)), .disturbance) }
  }

  private static func server(_ random: inout Seeded) -> any SimulatedServer {
    switch random.below(9) {
    case 0:
      BucketServer(
        rate: Double(5 + random.below(100)), burst: Double(1 + random.below(10)), asks: random.below(2) == 0 ? nil : .milliseconds(300))
    case 1: WindowServer(size: 2 + random.below(20), period: .seconds(1), states: random.below(2) == 0)
    case 2: CrowdServer(most: 1 + random.below(8), latency: .milliseconds(50 + random.below(500)))
    case 3: QueueServer(places: 1 + random.below(8), service: .milliseconds(20 + random.below(300)), chance: 0.5, gives: .seconds(2))
    case 4: CuttingServer(bears: 1 + random.below(3), service: .milliseconds(50 + random.below(300)))
    case 5: AwayServer(away: .milliseconds(200 + random.below(800))..<(.seconds(2 + random.below(8))), service: .milliseconds(50))
    case 6:
      SilentServer(
        silent: .milliseconds(random.below(800))..<(.seconds(random.below(3) == 0 ? 5000 : 2 + random.below(12))), gives: .seconds(2),
        service: .milliseconds(50))
    case 7:
      RefusingServer(
        refuses: .milliseconds(random.below(800))..<(.seconds(random.below(3) == 0 ? 5000 : 2 + random.below(12))),
        asks: random.below(2) == 0 ? nil : .seconds(1))
    default: QueueServer(places: 64, service: .milliseconds(10 + random.below(500)))
    }
  }

  private mutating func add(_ at: Duration, _ event: Event) {
    let place = events.firstIndex { $0.at <= at } ?? events.count
    events.insert((at, event), at: place)
  }

  /// Returns the law that did not hold.
  mutating func play() -> String? {
    settle()
    while rows.contains(where: { !$0.isOver }), problem == nil {
      guard let (at, event) = events.popLast() else {
        // Whoever is paused would wait for ever.
        if !paused.isEmpty {
          for job in paused { limiter.setPaused(false, job, reason: nil, by: .terminal, now: now) }
          paused = []
          settle()
          continue
        }
        return "\(rows.count { !$0.isOver }) rows wait, and nothing will wake them"
      }
      if at > .seconds(7200) { return "it takes too long" }
      now = max(now, at)
      take(event)
      settle()
    }
    if let problem { return problem }
    if limiter.inUse != 0 || limiter.lanes.contains(where: { $0.inUse != 0 }) || limiter.providers.contains(where: { $0.floor.inUse != 0 })
    {
      return "permits are kept"
    }
    if !waiting.isEmpty || !beginning.isEmpty { return "somebody is forgotten" }
    if let perSecond { return rateLaw(perSecond) }
    return nil
  }

  /// No window of a second holds more calls than its rate.
  private func rateLaw(_ rate: Int) -> String? {
    let times = grants.filter { $0.provider == "q" }.map(\.at)
    for (index, time) in times.enumerated() where index + rate < times.count && times[index + rate] - time < .seconds(1) {
      return "\(rate + 1) calls in \(times[index + rate] - time) at \(time)"
    }
    return nil
  }

  private mutating func take(_ event: Event) {
    switch event {
    case .alarm: alarm = nil
    case .retries(let row): if !rows[row].isOver { ask(row, .continuing) }
    case .disturbance: disturb()
    case .ended(let call, let attempt):
      guard let (row, permit) = under.removeValue(forKey: call) else { return }
      let policy = RetryPolicy()
      limiter.ended(permit, CallOutcome(attempt, sent: permit.granted, policy: policy), now: now)
      guard let failure = attempt.failure else {
        answered += 1
        return over(row)
      }
      if failure.isRefusal { rows[row].refused = rows[row].refused ?? now }
      if failure.detail == .unreachable || attempt.isUnanswered, limiter.waitsForServer(of: permit) { return ask(row, .continuing) }
      switch rows[row].standing.decide(policy, failure, random: Double(random.below(1000)) / 1000) {
      case .fail:
        failed += 1
        over(row)
      case .retry(let wait): add(now + wait, .retries(row: row))
      }
    }
  }

  private mutating func over(_ row: Int) {
    rows[row].isOver = true
    if let begun = rows[row].begun { limiter.ended(begun) }
  }

  private mutating func disturb() {
    switch random.below(6) {
    case 0:
      var limits = limiter.limits
      limits.width = random.below(3) == 0 ? Limits.adaptive : .fixed(1 + random.below(12))
      limiter.configure(limits, by: .terminal, now: now)
    case 1:
      let job = random.below(jobs.count)
      if !paused.insert(job).inserted { paused.remove(job) }
      limiter.setPaused(paused.contains(job), job, reason: nil, by: .terminal, now: now)
    case 2:
      var own = Limits.Own()
      own.concurrency = random.below(2) == 0 ? nil : 1 + random.below(4)
      limiter.set(own, for: random.below(jobs.count), by: .terminal, now: now)
    case 3:
      // A waiter is cancelled, and with it its row.
      guard let (id, row) = waiting.min(by: { $0.key < $1.key }), limiter.cancel(id, of: rows[row].job) else { return }
      waiting[id] = nil
      failed += 1
      over(row)
    case 4 where random.below(4) == 0:
      // A job sends nothing new.
      let job = random.below(jobs.count)
      for id in limiter.withdrawFresh(of: job) {
        if let (job, lane) = beginning.removeValue(forKey: id) {
          if unbegun[job][lane].isEmpty { problem = "nothing of this lane waited to begin" }
        } else if let row = waiting.removeValue(forKey: id) {
          over(row)
        } else {
          problem = "withdrew one who does not wait"
        }
      }
      for lane in 0..<4 {
        for row in unbegun[job][lane] { rows[row].isOver = true }
        unbegun[job][lane] = []
      }
    default: break
    }
  }

  private mutating func ask(_ row: Int, _ turn: LimiterState.Turn) {
    let lane = rows[row].lane
    switch limiter.acquire(
      rows[row].job, lane: Self.models[lane], turn, row: rows[row].begun, refused: rows[row].refused, patience: .seconds(120), now: now)
    {
    case .granted(let permit): send(row, permit)
    case .queued(let id): waiting[id] = row
    case .shut, .stopped:
      failed += 1
      over(row)
    case .spent: problem = "there is no budget"
    }
  }

  private mutating func send(_ row: Int, _ permit: Permit) {
    let model = Self.models[rows[row].lane]
    if permit.model != model || permit.job != rows[row].job { problem = "a permit of somebody else" }
    if case .fixed(let width) = limiter.limits.width, limiter.inUse > width { problem = "\(limiter.inUse) calls at once of \(width)" }
    for place in [model.provider, model.description] {
      guard let most = limiter.limits.places[place]?.concurrency else { continue }
      let live = 1 + under.values.count { $0.permit.model.provider == place || $0.permit.model.description == place }
      if live > most { problem = "\(live) calls at once of \(most) for \(place)" }
    }
    if let most = limiter.own(of: permit.job).concurrency, 1 + under.values.count(where: { $0.permit.job == permit.job }) > most {
      problem = "more than the job may have at once"
    }
    if paused.contains(permit.job) { problem = "a paused job sends" }
    grants.append((now, model.provider))
    rows[row].begun?.noteSent()
    calls += 1
    under[calls] = (row, permit)
    for (call, at, attempt) in servers[rows[row].lane].takes(calls, at: now) {
      events.removeAll { if case .ended(call, _) = $0.event { true } else { false } }
      add(at, .ended(call: call, attempt))
    }
  }

  private mutating func settle() {
    while problem == nil {
      for job in jobs.indices {
        for lane in 0..<4 where !unbegun[job][lane].isEmpty && !beginning.values.contains(where: { $0 == (job, lane) }) {
          begin(job, lane)
        }
      }
      let effects = limiter.grantWaiting(now: now)
      for (id, begun) in effects.begun {
        guard let (job, lane) = beginning.removeValue(forKey: id) else {
          problem = "began a row for one who does not wait"
          return
        }
        start(job, lane, begun)
      }
      for (id, permit) in effects.granted {
        guard let row = waiting.removeValue(forKey: id) else {
          problem = "granted one who does not wait"
          return
        }
        send(row, permit)
      }
      for (id, _) in effects.shut {
        guard let row = waiting.removeValue(forKey: id) else {
          problem = "sent away one who does not wait"
          return
        }
        failed += 1
        over(row)
      }
      if let opening = effects.opening, alarm == nil || opening < alarm ?? .zero {
        alarm = opening
        add(opening, .alarm)
      }
      if effects.begun.isEmpty, effects.granted.isEmpty, effects.shut.isEmpty { return }
    }
  }

  private mutating func begin(_ job: Int, _ lane: Int) {
    while !unbegun[job][lane].isEmpty {
      switch limiter.begin(groups[job], for: Self.models[lane]) {
      case .begun(let begun): start(job, lane, begun)
      case .queued(let id):
        beginning[id] = (job, lane)
        parked += unbegun[job][lane].count
        return
      case .stopped:
        for row in unbegun[job][lane] { rows[row].isOver = true }
        unbegun[job][lane] = []
      }
    }
  }

  private mutating func start(_ job: Int, _ lane: Int, _ begun: BegunRow) {
    let row = unbegun[job][lane].removeFirst()
    rows[row].begun = begun
    ask(row, .fresh)
  }
}
