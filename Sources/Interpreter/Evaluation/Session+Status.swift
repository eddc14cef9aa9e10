import Chat
import JSON
import Scheduling

/// How a session stands, as one JSON document: what `jobs --json` prints, and what those who steer from elsewhere are shown.
///
/// Durations are seconds, rates rows a second; what is not known is null.
extension Session {
  public var status: JSONValue {
    .object([
      ("session", about),
      ("jobs", .array(reachableJobs.map(status))),
      ("limits", limits),
      ("lanes", .array(world.engine.limiter.lanes().map(status))),
      ("tokens_used", .int(world.engine.limiter.tokensUsed)),
      ("changes", .array(world.engine.limiter.history.suffix(100).map { status($0) })),
    ])
  }

  private var about: JSONValue {
    let system = world.system
    let settings = settings
    return .object([
      ("pid", .int(system.process)), ("script", .string(title)), ("started", .string(system.timestamp(began))),
      ("model", .string(settings.model.description)), ("concurrency", .string(settings.limits.width.words)),
    ])
  }

  private func status(_ handle: JobHandle) -> JSONValue {
    let (job, progress) = (handle.job, handle.job.progress)
    let standing = world.engine.limiter.standing(of: job)
    return .object([
      ("job", .whole(job.number)), ("name", .string(job.name)), ("state", .string(progress.state.rawValue)),
      ("total", .whole(progress.total)), ("done", .int(progress.done)), ("launched", .int(progress.launched)),
      ("in_flight", .int(progress.inFlight)), ("waiting", .int(progress.waiting)), ("limit", .int(standing.limit)),
      ("own_limit", .whole(world.engine.limiter.own(of: job).concurrency)),
      ("answered", .int(progress.calls.answered)), ("failed", .int(progress.unanswered)),
      ("failures", .counts(progress.failures.mapValues(\.count))),
      ("wrong", .counts(progress.calls.wrong)), ("cut", .int(progress.calls.cut)), ("skipped", .int(progress.skipped)),
      ("left_out", .int(progress.leftOut)), ("retried", .int(progress.retried)), ("hedged", .int(progress.hedged)),
      ("output_tokens", .int(progress.outputTokens)), ("rate", .number(progress.rate)), ("elapsed", .seconds(progress.elapsed)),
      ("eta", .seconds(world.engine.limiter.eta(of: job, progress))), ("p50", .seconds(progress.p50)), ("p95", .seconds(progress.p95)),
      ("lanes", .array(world.engine.limiter.lanes(of: job).map { .string($0.model.description) })),
      ("waits", .array(waits(of: job).map(JSONValue.string))),
      ("change", standing.last.map { status($0, of: job) } ?? .null),
    ])
  }

  /// Whom its lanes wait for, in words.
  private func waits(of job: Job) -> [String] {
    let now = world.engine.time.now
    return job.isOver ? [] : world.engine.limiter.shutLanes(of: job).filter { $0.isNews(now: now) }.map(words)
  }

  private func status(_ lane: LaneStanding) -> JSONValue {
    let own = Limits.Own.settings.flatMap { setting -> [(key: String, value: JSONValue)] in
      [(setting, .whole(lane.own[setting])), ("provider_" + setting, .whole(lane.ofProvider[setting]))]
    }
    let shut = world.engine.limiter.shut(lane.model).flatMap { $0.isNews(now: world.engine.time.now) ? words($0) : nil }
    let recent = lane.windows.suffix(1).first { $0.to > $0.from }
    return .object(
      [
        ("model", .string(lane.model.description)), ("in_flight", .int(lane.inUse)), ("limit", .whole(lane.limit)),
        ("waiting", .int(lane.waiting)), ("learned_rate", lane.learnedRate.map(JSONValue.number) ?? .null),
        ("refused", .whole(recent?.refused)), ("waits_for", shut.map(JSONValue.string) ?? .null),
      ] + own)
  }

  /// A change of a limit or a setting, as `why --json` tells it.
  ///
  /// - Parameter job: whose rows are counted; nil for the one it concerns, if it concerns one.
  func status(_ change: LimitChange, of job: Job? = nil) -> JSONValue {
    let concerned = job?.id ?? change.job
    let name = change.job.flatMap { id in reachableJobs.first { $0.job.id == id }?.job.name }
    let values = change.values
    return .object([
      ("at", .string(world.system.timestamp(change.at))), ("job", name.map(JSONValue.string) ?? .null),
      ("place", change.placeWords.map(JSONValue.string) ?? .null),
      ("name", values.map { .string($0.name) } ?? .null), ("from", values.map { .string($0.from) } ?? .null),
      ("to", values.map { .string($0.to) } ?? .null), ("row", .whole(concerned.flatMap { change.rows[$0] })),
      ("by", change.by.name.map(JSONValue.string) ?? .null), ("why", change.by.why.map(JSONValue.string) ?? .null),
      ("text", .string(change.text)), ("times", .int(change.times)),
    ])
  }

  /// What `set` limits, as it stands.
  private var limits: JSONValue {
    let settings = settings
    return .object(
      SettingDefinition.all.filter(\.steersCalls).map {
        ($0.name, $0.get(settings).json)
      })
  }
}

extension JSONValue {
  fileprivate static func whole(_ number: Int?) -> JSONValue { number.map(JSONValue.int) ?? .null }
  fileprivate static func seconds(_ duration: Duration?) -> JSONValue {
    duration.map { .number((($0 / .seconds(1)) * 1000).rounded() / 1000) } ?? .null
  }

  fileprivate static func counts(_ counts: [FailureKind: Int]) -> JSONValue {
    .object(counts.sorted { ($1.value, $0.key.rawValue) < ($0.value, $1.key.rawValue) }.map { ($0.key.rawValue, .int($0.value)) })
  }
}
