import Chat
import Testing

@testable import Scheduling

@Suite struct RecentRateTests {
  private func answered() -> Reply {
    var attempt = Attempt()
    attempt.latency = .seconds(1)
    return Reply(model: ModelName(provider: "p", name: "m"), messages: [], attempt: attempt, attempts: 1, queued: .zero)
  }

  /// Eight rows a second for twenty seconds, then one: the end is reckoned from what is under way at once, from the rate ten seconds later.
  @Test func theRateIsOfNow() {
    let time = ManualTime()
    let job = Job(id: 1, name: "j", total: 310, time: time)
    func rows(_ width: Int, seconds: Int) {
      for _ in 0..<seconds {
        for _ in 0..<width { job.launched() }
        job.calls(width)
        time.advance(by: .seconds(1))
        job.calls(-width)
        for _ in 0..<width {
          job.called(answered())
          _ = job.ended(failure: nil)
        }
      }
    }
    rows(8, seconds: 20)
    #expect((7...9).contains(job.progress.rate))
    job.launched()
    job.calls(1)
    // Of 150 rows that are left one at a time is under way: 150 s, not 19.
    #expect((140...160).contains(job.progress.eta?.seconds ?? 0))
    time.advance(by: .seconds(1))
    job.calls(-1)
    job.called(answered())
    _ = job.ended(failure: nil)
    rows(1, seconds: 11)
    #expect((0.8...1.2).contains(job.progress.rate))
    #expect((110...175).contains(job.progress.eta?.seconds ?? 0))
    // A pause is no time.
    job.setPaused(true)
    time.advance(by: .seconds(600))
    job.setPaused(false)
    #expect((0.8...1.2).contains(job.progress.rate))
  }
}
