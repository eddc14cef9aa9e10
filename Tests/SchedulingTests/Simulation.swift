import Chat

@testable import Scheduling

/// One client of the limiter and one server, played out under a clock that the events turn: what takes minutes in the world takes
/// milliseconds here, and comes out the same each time.
struct Simulation {
  /// What is measured of a run.
  struct Outcome {
    var time: Duration = .zero
    var failed = 0
    var sent = 0
    /// Refusals of calls that were sent after the first refusal was heard.
    var refused = 0
    /// Of those sent before it: nobody could know.
    var refusedFirst = 0
    /// Calls under way at once, at most.
    var most = 0
    var changes: [LimitChange] = []
    /// Rows that failed, by kind.
    var kinds: [FailureKind: Int] = [:]
    /// Why rows were sent away, in turn.
    var shut: [LaneShut] = []
    func refusedPerRow(_ rows: Int) -> Double { Double(refused) / Double(rows) }
  }

  var limiter: LimiterState
  var server: any SimulatedServer
  var policy = RetryPolicy()
  let rows: Int
  var lane = ModelName(provider: "p", name: "m")
  private var random = Seeded(7)

  init(_ width: Limits.Width, _ server: any SimulatedServer, rows: Int) {
    limiter = LimiterState(Limits(width: width))
    self.server = server
    self.rows = rows
  }

  private enum Event {
    case ended(call: Int, Attempt)
    case retries(row: Int, isBehind: Bool)
    /// The first token of a call whose answer takes long.
    case word(call: Int)
    case alarm
  }

  private struct Row {
    var attempts = 0
    var refused: Duration?
    var standing = RetryStanding()
  }

  private struct Queue {
    var events: [(at: Duration, order: Int, event: Event)] = []
    var order = 0
    mutating func add(_ at: Duration, _ event: Event) {
      order += 1
      var (low, high) = (0, events.count)
      while low < high {
        let middle = (low + high) / 2
        if events[middle].at >= at { low = middle + 1 } else { high = middle }
      }
      // Of two at one moment, the first comes first: the last of the list is the next.
      while low > 0, events[low - 1].at == at { low -= 1 }
      events.insert((at, order, event), at: low)
    }
    mutating func next() -> (at: Duration, event: Event)? { events.popLast().map { ($0.at, $0.event) } }
    mutating func removeCall(_ call: Int) {
      events.removeAll { if case .ended(call, _) = $0.event { true } else { false } }
    }
  }

  mutating func run(until most: Duration = .seconds(3600)) -> Outcome {
    var outcome = Outcome()
    var queue = Queue()
    var state = Array(repeating: Row(), count: rows)
    var waiting: [Int: Int] = [:]
    var under: [Int: (row: Int, permit: Permit)] = [:]
    var (fresh, calls, done) = (0, 0, 0)
    var now: Duration = .zero
    var (freshWaits, firstHeard): (Bool, Duration?) = (false, nil)
    var alarm: Duration?

    func send(_ row: Int, _ permit: Permit) {
      calls += 1
      outcome.sent += 1
      under[calls] = (row, permit)
      outcome.most = max(outcome.most, under.count)
      for (call, at, attempt) in server.takes(calls, at: now) {
        queue.removeCall(call)
        queue.add(at, .ended(call: call, attempt))
        if attempt.failure == nil, let ttft = attempt.ttft, at - now > .seconds(1) { queue.add(now + ttft, .word(call: call)) }
      }
    }
    func ask(_ row: Int, _ turn: LimiterState.Turn) {
      switch limiter.acquire(1, lane: lane, turn, refused: state[row].refused, patience: policy.maximumWait, now: now) {
      case .granted(let permit): send(row, permit)
      case .queued(let waiter):
        waiting[waiter] = row
        if turn == .fresh { freshWaits = true }
      case .spent, .stopped: break
      case .shut(let shut): turnAway(row, shut)
      }
    }
    func give(_ row: Int, _ kind: FailureKind) {
      outcome.failed += 1
      outcome.kinds[kind, default: 0] += 1
      done += 1
    }
    func turnAway(_ row: Int, _ shut: LaneShut) {
      outcome.shut.append(shut)
      switch shut.reason {
      case .down: give(row, .connection)
      case .silent: give(row, .timeout)
      default: give(row, .rateLimited)
      }
    }
    func settle() {
      while true {
        // One row that is ready stands in line; the next is made ready when that one has gone.
        while !freshWaits, fresh < rows {
          fresh += 1
          ask(fresh - 1, .fresh)
        }
        let effects = limiter.grantWaiting(now: now)
        for (waiter, shut) in effects.shut {
          guard let row = waiting.removeValue(forKey: waiter) else { continue }
          if state[row].attempts == 0 { freshWaits = false }
          turnAway(row, shut)
        }
        for (waiter, permit) in effects.granted {
          guard let row = waiting.removeValue(forKey: waiter) else { continue }
          if state[row].attempts == 0 { freshWaits = false }
          send(row, permit)
        }
        if let opening = effects.opening, alarm == nil || opening < alarm ?? .zero {
          alarm = opening
          queue.add(opening, .alarm)
        }
        if effects.granted.isEmpty, effects.shut.isEmpty { return }
      }
    }
    settle()
    while done < rows, let (at, event) = queue.next(), at < most {
      now = max(now, at)
      switch event {
      case .alarm: alarm = nil
      case .word(let call): under[call]?.permit.activity.note()
      case .retries(let row, let isBehind): ask(row, isBehind ? .behind : .continuing)
      case .ended(let call, let attempt):
        guard let (row, permit) = under.removeValue(forKey: call) else { continue }
        state[row].attempts += 1
        if attempt.failure?.kind == .rateLimited {
          if permit.granted > firstHeard ?? now { outcome.refused += 1 } else { outcome.refusedFirst += 1 }
          firstHeard = firstHeard ?? now
        }
        limiter.ended(permit, CallOutcome(attempt, sent: permit.granted, policy: policy), now: now)
        if let failure = attempt.failure {
          if failure.isRefusal { state[row].refused = state[row].refused ?? now }
          if failure.detail == .unreachable || attempt.isUnanswered, policy.retries > 0, limiter.waitsForServer(of: permit) {
            ask(row, .continuing)
          } else {
            switch state[row].standing.decide(policy, failure, random: Double(random.below(1000)) / 1000) {
            case .fail(let failure): give(row, failure.kind)
            case .retry(let wait): queue.add(now + wait, .retries(row: row, isBehind: failure.detail == .firstToken))
            }
          }
        } else {
          done += 1
        }
      }
      settle()
    }
    outcome.failed += rows - done
    outcome.time = now
    outcome.changes = limiter.history.changes
    return outcome
  }
}

protocol SimulatedServer {
  /// A call arrives; how and when it, and others that are under way, end now.
  mutating func takes(_ call: Int, at now: Duration) -> [(call: Int, at: Duration, Attempt)]
}

extension Attempt {
  static func answer(_ latency: Duration, ttft: Duration? = nil, tokens: Int = 10) -> Attempt {
    var attempt = Attempt()
    (attempt.text, attempt.finish, attempt.ttft, attempt.latency) = ("yes", .stop, ttft ?? latency, latency)
    attempt.usage = Usage(input: 5, output: tokens)
    return attempt
  }
  static func no(_ kind: FailureKind, status: Int? = nil, after: Duration? = nil) -> Attempt {
    Attempt(failure: Failure(kind, "no", status: status, retryAfter: after))
  }
}

// MARK: servers that refuse

/// A token bucket: so many a second, so many at once, and the same `retry-after` whatever is left.
struct BucketServer: SimulatedServer {
  var rate = 200.0
  var burst = 20.0
  var asks: Duration? = .milliseconds(300)
  var latency: Duration = .milliseconds(2)
  private var tokens: Double?
  private var at: Duration = .zero

  init(rate: Double = 200, burst: Double = 20, asks: Duration? = .milliseconds(300), latency: Duration = .milliseconds(2)) {
    (self.rate, self.burst, self.asks, self.latency) = (rate, burst, asks, latency)
  }

  mutating func takes(_ call: Int, at now: Duration) -> [(call: Int, at: Duration, Attempt)] {
    let left = min(burst, (tokens ?? burst) + (now - at).seconds * rate)
    at = now
    guard left >= 1 else {
      tokens = left
      return [(call, now + .milliseconds(2), .no(.rateLimited, status: 429, after: asks))]
    }
    tokens = left - 1
    return [(call, now + latency, .answer(latency))]
  }
}

/// So many in each window of the clock; `retry-after` is the rest of it.
struct WindowServer: SimulatedServer {
  let size: Int
  let period: Duration
  var latency: Duration = .milliseconds(2)
  var states = true
  private var number = -1
  private var used = 0

  init(size: Int = 50, period: Duration = .seconds(1), latency: Duration = .milliseconds(2), states: Bool = true) {
    (self.size, self.period, self.latency, self.states) = (size, period, latency, states)
  }

  mutating func takes(_ call: Int, at now: Duration) -> [(call: Int, at: Duration, Attempt)] {
    let current = Int(now / period)
    if current != number { (number, used) = (current, 0) }
    guard used < size else {
      let rest = max(.milliseconds(1), period * (current + 1) - now)
      return [(call, now + .milliseconds(2), .no(.rateLimited, status: 429, after: states ? rest : nil))]
    }
    used += 1
    return [(call, now + latency, .answer(latency))]
  }
}

/// So many calls at once at most; more are refused.
struct CrowdServer: SimulatedServer {
  let most: Int
  let latency: Duration
  private var ends: [Duration] = []

  init(most: Int, latency: Duration = .seconds(1)) {
    (self.most, self.latency) = (most, latency)
  }

  mutating func takes(_ call: Int, at now: Duration) -> [(call: Int, at: Duration, Attempt)] {
    ends.removeAll { $0 <= now }
    guard ends.count < most else { return [(call, now + .milliseconds(2), .no(.rateLimited, status: 429, after: nil))] }
    ends.append(now + latency)
    return [(call, now + latency, .answer(latency, ttft: .milliseconds(50)))]
  }
}

// MARK: servers that are slow, cut, or away

/// Places in which calls are answered, one after the other; who comes when all are taken waits in line. `chance`: how much longer or
/// shorter an answer takes than usual, at most. A call whose line is longer than `gives` gives up.
struct QueueServer: SimulatedServer {
  let places: Int
  let service: Duration
  var chance = 0.0
  var gives: Duration?
  /// What a call takes besides, where it is one more than there ever were at once.
  var opening: Duration = .zero
  private var ends: [Duration] = []
  private var most = 0
  private var free: [Duration]
  private var random: Seeded

  init(places: Int, service: Duration, chance: Double = 0, gives: Duration? = nil, seed: Int = 11) {
    random = Seeded(seed)
    (self.places, self.service, self.chance, self.gives) = (places, service, chance, gives)
    free = Array(repeating: .zero, count: places)
  }

  mutating func takes(_ call: Int, at now: Duration) -> [(call: Int, at: Duration, Attempt)] {
    let place = free.indices.min { free[$0] < free[$1] } ?? 0
    ends.removeAll { $0 <= now }
    let isOpening = ends.count == most
    if isOpening { most += 1 }
    let start = max(isOpening ? now + opening : now, free[place])
    if let gives, start - now > gives {
      var late = Attempt.no(.timeout)
      late.failure?.detail = .firstToken
      return [(call, now + gives, late)]
    }
    let factor = 1 + chance * (Double(random.below(2001)) / 1000 - 1)
    free[place] = start + service * factor
    ends.append(free[place])
    let first = start + service * factor / 10
    return [(call, free[place], .answer(free[place] - now, ttft: first - now))]
  }
}

/// Cuts the stream that runs when another request comes (llama-cpp-python does); beyond `bears` at once.
struct CuttingServer: SimulatedServer {
  var bears = 1
  let service: Duration
  private var running: [(call: Int, end: Duration)] = []

  init(bears: Int = 1, service: Duration) {
    (self.bears, self.service) = (bears, service)
  }

  mutating func takes(_ call: Int, at now: Duration) -> [(call: Int, at: Duration, Attempt)] {
    running.removeAll { $0.end <= now }
    var events: [(call: Int, at: Duration, Attempt)] = []
    while running.count >= bears { events.append((running.removeFirst().call, now + .milliseconds(1), .no(.truncated, status: 200))) }
    running.append((call, now + service))
    return events + [(call, now + service, .answer(service, ttft: .milliseconds(20)))]
  }
}

/// Nobody can connect between two moments, and streams that run then end.
struct AwayServer: SimulatedServer {
  let away: Range<Duration>
  let service: Duration

  mutating func takes(_ call: Int, at now: Duration) -> [(call: Int, at: Duration, Attempt)] {
    if away.contains(now) {
      var attempt = Attempt.no(.connection)
      attempt.failure?.detail = .unreachable
      return [(call, now + .milliseconds(1), attempt)]
    }
    if now < away.lowerBound, now + service > away.lowerBound {
      return [(call, away.lowerBound, .no(.truncated, status: 200))]
    }
    return [(call, now + service, .answer(service, ttft: .milliseconds(20)))]
  }
}

/// Takes calls between two moments and says nothing; whoever sends them gives up after a while.
struct SilentServer: SimulatedServer {
  let silent: Range<Duration>
  var gives: Duration = .seconds(120)
  var service: Duration = .seconds(2)

  mutating func takes(_ call: Int, at now: Duration) -> [(call: Int, at: Duration, Attempt)] {
    guard silent.contains(now) else { return [(call, now + service, .answer(service, ttft: .milliseconds(20)))] }
    var late = Attempt.no(.timeout)
    late.failure?.detail = .firstToken
    return [(call, now + gives, late)]
  }
}

/// Refuses every call between two moments.
struct RefusingServer: SimulatedServer {
  let refuses: Range<Duration>
  let asks: Duration?

  mutating func takes(_ call: Int, at now: Duration) -> [(call: Int, at: Duration, Attempt)] {
    guard refuses.contains(now) else { return [(call, now + .milliseconds(50), .answer(.milliseconds(50)))] }
    return [(call, now + .milliseconds(2), .no(.rateLimited, status: 429, after: asks))]
  }
}

/// Does with each call what its number says.
struct ScriptedServer: SimulatedServer {
  let answer: (Int, Duration) -> (after: Duration, Attempt)

  mutating func takes(_ call: Int, at now: Duration) -> [(call: Int, at: Duration, Attempt)] {
    let (after, attempt) = answer(call, now)
    return [(call, now + after, attempt)]
  }
}

extension Duration {
  static let ever = Duration.seconds(1_000_000)
}
