import Chat
import Testing

@testable import Scheduling

@Suite struct RetryPolicyTests {
  let policy = RetryPolicy()

  @Test(arguments: FailureKind.allCases)
  func onlyWhatMayPassIsTriedAgain(_ kind: FailureKind) {
    let decision = policy.decide(Failure(kind, "x"), attempts: 1, random: 0.5)
    if kind.isTransient { #expect(decision == .retry(after: .milliseconds(250))) } else { #expect(decision == .fail(Failure(kind, "x"))) }
  }

  @Test func whatTheServerAsksForIsAMinimum() {
    let failure = Failure(.rateLimited, "slow down", retryAfter: .seconds(7))
    guard case .retry(let wait) = policy.decide(failure, attempts: 1, random: 0.99) else { return #expect(Bool(false)) }
    #expect(wait >= .seconds(7) && wait < .seconds(8))
  }

  @Test func tooLongAWaitFailsTheRow() {
    let failure = Failure(.rateLimited, "slow down", retryAfter: .seconds(121))
    guard case .fail(let told) = policy.decide(failure, attempts: 1, random: 0) else { return #expect(Bool(false)) }
    #expect(told.message.contains("121 s"))
  }

  @Test func triesAreCounted() {
    #expect(policy.decide(Failure(.server, "x"), attempts: 4, random: 0) == .retry(after: .zero))
    #expect(policy.decide(Failure(.server, "x"), attempts: 5, random: 0) == .fail(Failure(.server, "x")))
  }
}
