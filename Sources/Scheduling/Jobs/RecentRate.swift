/// How fast rows end now: those of the last ten seconds, or of two usual latencies where that is longer. Pauses are no time.
struct RecentRate: Sendable {
  private static let bucket = 0.5
  private static let most = 256

  /// Rows that ended, by half-seconds of running time; the newest last.
  private var counts: [Int] = [0]
  private var newest = 0
  private let started: Duration
  private var paused: Duration = .zero
  private var pausedAt: Duration?

  init(started: Duration) {
    self.started = started
  }

  mutating func ended(now: Duration) {
    move(to: now)
    counts[counts.count - 1] += 1
  }

  mutating func setPaused(_ isPaused: Bool, now: Duration) {
    if isPaused {
      pausedAt = pausedAt ?? now
    } else if let since = pausedAt {
      paused += now - since
      pausedAt = nil
    }
  }

  /// Rows a second; nil where it has not run long enough to tell.
  mutating func rate(now: Duration, p50: Duration?) -> Double? {
    move(to: now)
    let running = seconds(now)
    let window = min(max(10, 2 * (p50?.seconds ?? 0)), Double(Self.most) * Self.bucket, running)
    guard window >= Self.bucket else { return nil }
    let buckets = min(counts.count, max(1, Int((window / Self.bucket).rounded(.up))))
    // The newest half-second is not over yet.
    let length = min(running, Double(buckets - 1) * Self.bucket + running.truncatingRemainder(dividingBy: Self.bucket))
    return length > 0 ? Double(counts.suffix(buckets).reduce(0, +)) / length : nil
  }

  private func seconds(_ now: Duration) -> Double { max(0, ((pausedAt ?? now) - started - paused).seconds) }

  private mutating func move(to now: Duration) {
    let current = Int(seconds(now) / Self.bucket)
    guard current > newest else { return }
    let steps = min(current - newest, Self.most)
    counts += Array(repeating: 0, count: steps)
    if counts.count > Self.most { counts.removeFirst(counts.count - Self.most) }
    newest = current
  }
}
