import Language
import Threads

extension Invocation {
  func countArgument(_ rest: ArraySlice<Expression>) async throws -> Int {
    guard let expression = rest.first, rest.count == 1 else {
      throw error("`\(definition.name)` takes how many rows: \(definition.usage[0])")
    }
    let value = try await context.value(expression)
    guard case .int(let count) = value, count >= 0 else {
      throw error("`\(definition.name)` takes a whole number from 0, not \(value.preview)", at: expression.span)
    }
    return count
  }

  /// How many rows, where it stands there as it is: told before anything runs.
  func checkCount() throws {
    guard ["take", "skip", "sample"].contains(definition.name), let expression = command.arguments.last else { return }
    let isWrong =
      switch expression.node {
      case .text, .number, .bool, .nothing, .duration, .record, .list: true
      case .unary(.minus, let operand): if case .int = operand.node { true } else { false }
      default: false
      }
    guard isWrong else { return }
    let words = context.source.text(expression.span)
    throw error("`\(definition.name)` takes a whole number from 0, not \(words)", at: expression.span)
  }

  /// A step that goes by the order of the rows. A list that is there already stays one.
  func ordered(_ stream: RowStream, _ step: OrderedStep) async throws -> Flow {
    let stepped = stream.adding(step)
    guard stream.source is ListSource, stream.stages.isEmpty, stream.tail.isEmpty else { return .rows(stepped) }
    return .value(.list(try await stepped.collect(named: nil)))
  }
}

final class Counter: Sendable {
  private let count = Mutex(0)
  func add() { count.withLock { $0 += 1 } }
  var value: Int { count.withLock { $0 } }
}
