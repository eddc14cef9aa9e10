import Language
import Threads

/// What the parts of a row's expression gave that read nothing of the row: `where id in (load "old.csv").id` reads the file once, and
/// `where score > mean(old.score)` works the mean out once, for a run of rows and not for each.
///
/// Whether a part reads the row is seen when it is worked out for the first one (`RowProbe`). Only what has no effect is kept: no
/// prompt, no function of the user's, no time of day.
final class Invariants: Sendable {
  private enum Known {
    case working([Wait])
    case dependent
    case constant(Value, missed: Set<String>)
  }

  enum Step {
    case first, dependent
    case constant(Value, missed: Set<String>)
    case wait(Wait)
  }

  /// The parts are alive as long as the statement that has them.
  private let parts = Mutex<[ObjectIdentifier: Known]>([:])

  func step(_ part: Expression) -> Step {
    parts.withLock { parts in
      switch parts[ObjectIdentifier(part)] {
      case nil:
        parts[ObjectIdentifier(part)] = .working([])
        return .first
      case .dependent: return .dependent
      case .constant(let value, let missed): return .constant(value, missed: missed)
      case .working(let waiting):
        let wait = Wait()
        parts[ObjectIdentifier(part)] = .working(waiting + [wait])
        return .wait(wait)
      }
    }
  }

  /// - Parameter constant: nil where it depends on the row.
  func settle(_ part: Expression, _ constant: (Value, missed: Set<String>)?) {
    finish(part, constant.map { .constant($0.0, missed: $0.missed) } ?? .dependent)
  }

  /// The first could not be worked out: the next tries.
  func giveUp(_ part: Expression) { finish(part, nil) }

  private func finish(_ part: Expression, _ known: Known?) {
    let waiting = parts.withLock { parts -> [Wait] in
      let before = parts[ObjectIdentifier(part)]
      parts[ObjectIdentifier(part)] = known
      if case .working(let waiting)? = before { return waiting }
      return []
    }
    for wait in waiting { wait.end() }
  }
}

/// Sees what an expression reads of the row it is worked out for.
final class RowProbe: Sendable {
  private struct State {
    var isTouched = false
    var missed: Set<String> = []
  }

  private let state = Mutex(State())

  func touch() { state.withLock { $0.isTouched = true } }
  /// A name that the row might have had.
  func miss(_ name: String) { state.withLock { _ = $0.missed.insert(name) } }

  /// The names that the row might have had; nil where it was read.
  var missed: Set<String>? { state.withLock { $0.isTouched ? nil : $0.missed } }
}

extension Context {
  /// The value of a part of an expression for rows, worked out once where it reads nothing of the row.
  func oncePerRun(_ part: Expression, _ body: (Context) async throws -> Value) async throws -> Value {
    guard let invariants, scope.isInRow else { return try await body(self) }
    while true {
      switch invariants.step(part) {
      case .dependent: return try await body(self)
      case .constant(let value, let missed):
        // A later row may have a field that the first had not.
        if missed.contains(where: scope.rowHas) { return try await body(self) }
        scope.noteMissed(missed)
        return value
      case .wait(let wait): try await wait.value()
      case .first:
        guard part.hasNoEffect(scope) else {
          invariants.settle(part, nil)
          return try await body(self)
        }
        let probe = RowProbe()
        var probing = self
        probing.scope = Scope(probing: scope, probe)
        do {
          let value = try await body(probing)
          invariants.settle(part, probe.missed.map { (value, missed: $0) })
          return value
        } catch {
          invariants.giveUp(part)
          throw error
        }
      }
    }
  }
}

extension Expression {
  /// Whether it sends nothing, changes nothing, and would give the same a moment later.
  func hasNoEffect(_ scope: Scope) -> Bool {
    switch node {
    case .nothing, .bool, .int, .number, .duration, .name: true
    case .job, .block: false
    case .text(let pieces): pieces.allSatisfy { if case .hole(let inner) = $0 { inner.hasNoEffect(scope) } else { true } }
    case .list(let elements): elements.allSatisfy { $0.hasNoEffect(scope) }
    case .record(let members): members.allSatisfy { $0.value.hasNoEffect(scope) }
    case .field(let base, _), .unary(_, let base): base.hasNoEffect(scope)
    case .index(let left, let right), .binary(_, let left, let right), .range(let left, let right):
      left.hasNoEffect(scope) && right.hasNoEffect(scope)
    case .call(let callee, let arguments): Self.isReader(callee, scope) && arguments.allSatisfy { $0.value.hasNoEffect(scope) }
    case .pipeline(let pipeline):
      pipeline.stages.allSatisfy { stage in
        switch stage {
        case .expression(let expression): expression.hasNoEffect(scope)
        case .command(let command):
          CommandRegistry.named(command.name.text)?.onlyReads ?? false && command.arguments.allSatisfy { $0.hasNoEffect(scope) }
            && command.flags.allSatisfy { $0.value?.hasNoEffect(scope) ?? true }
        }
      }
    }
  }

  private static func isReader(_ callee: Expression, _ scope: Scope) -> Bool {
    guard case .name(let name) = callee.node, Functions.named(name)?.isOfTheMoment == false else { return false }
    return scope.lookup(name)?.isCallable != true
  }
}

extension SettingValue {
  fileprivate func hasNoEffect(_ scope: Scope) -> Bool {
    switch node {
    case .word: true
    case .list(let values): values.allSatisfy { $0.hasNoEffect(scope) }
    case .expression(let expression): expression.hasNoEffect(scope)
    }
  }
}
