import Chat
import Testing

@testable import Scheduling

@Suite struct RetryPolicyTests {
  let policy = RetryPolicy()

  private func first(_ failure: Failure, random: Double, _ policy: RetryPolicy = RetryPolicy()) -> RetryPolicy.Decision {
    var standing = RetryStanding()
    return standing.decide(policy, failure, random: random)
  }

  @Test(arguments: FailureKind.allCases)
  func onlyWhatMayPassIsTriedAgain(_ kind: FailureKind) {
    let decision = first(Failure(kind, "x"), random: 0.5)
    if kind.isTransient { #expect(decision == .retry(after: .milliseconds(250))) } else { #expect(decision == .fail(Failure(kind, "x"))) }
    var none = policy
    none.retries = 0
    #expect(first(Failure(kind, "x", retryAfter: .seconds(1)), random: 0.5, none) == .fail(Failure(kind, "x", retryAfter: .seconds(1))))
  }

  @Test func whatTheServerAsksForIsAMinimum() {
    let failure = Failure(.rateLimited, "slow down", retryAfter: .seconds(7))
    guard case .retry(let wait) = first(failure, random: 0.99) else { return #expect(Bool(false)) }
    #expect(wait >= .seconds(7) && wait < .seconds(9))
  }

  @Test func tooLongAWaitFailsTheRow() {
    let failure = Failure(.rateLimited, "slow down", retryAfter: .seconds(121))
    guard case .fail(let told) = first(failure, random: 0) else { return #expect(Bool(false)) }
    #expect(told.message.contains("121 s"))
  }

  @Test func triesOnFaultsAreCounted() {
    var standing = RetryStanding()
    for _ in 0..<4 { #expect(standing.decide(policy, Failure(.server, "x"), random: 0) == .retry(after: .zero)) }
    #expect(standing.decide(policy, Failure(.server, "x"), random: 0) == .fail(Failure(.server, "x")))
  }

  /// Refusals use no try up; waits, stated or chosen, add up to max-wait at most.
  @Test(arguments: [Duration.seconds(10), nil])
  func waitsOnRefusalsAreCounted(_ asked: Duration?) {
    var standing = RetryStanding()
    var waited: Duration = .zero
    var count = 0
    while count < 1000 {
      count += 1
      guard case .retry(let wait) = standing.decide(policy, Failure(.rateLimited, "x", retryAfter: asked), random: 0.5) else { break }
      waited += wait
    }
    #expect(count > 8 && waited <= .seconds(120) && waited > .seconds(100))
    // The tries on faults are all left.
    #expect(standing.decide(policy, Failure(.server, "x"), random: 0) == .retry(after: .zero))
  }
}
