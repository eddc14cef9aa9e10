import Language

/// A step that goes by the order of the rows: it runs where they are taken, one after the other.
enum OrderedStep: Sendable {
  case skip(Int)
  case take(Int)
  /// By the value itself, or by an expression; in the context of the rows.
  case unique(Expression?, Context)
  case flatten

  /// How many rows come out of so many, where that can be told.
  func count(of rows: Int) -> Int? {
    switch self {
    case .skip(let count): max(0, rows - count)
    case .take(let count): min(rows, count)
    case .unique, .flatten: nil
    }
  }
}

/// The ordered steps behind a stretch of rows, as far as they have come.
struct OrderedTail {
  struct Progress {
    let step: OrderedStep
    /// Rows that it still skips or takes.
    var left = 0
    var index = 0
    var seen: Set<ValueKey> = []
    let tally = RuleTally()
  }

  private var steps: [Progress]

  init(_ steps: [OrderedStep]) {
    self.steps = steps.map { step in
      var progress = Progress(step: step)
      switch step {
      case .skip(let count), .take(let count): progress.left = count
      case .unique, .flatten: break
      }
      return progress
    }
  }

  /// How many rows more are surely needed before so many more can come out of it. A list may hold nothing or anything: one at a time
  /// is what is sure.
  func wanted(for outer: Int) -> Int {
    steps.reversed().reduce(outer) { wanted, progress in
      switch progress.step {
      case _ where wanted <= 0: 0
      case .skip: wanted > .max - progress.left ? .max : wanted + progress.left
      case .take: min(wanted, progress.left)
      case .unique: wanted
      case .flatten: wanted == .max ? .max : 1
      }
    }
  }

  /// What becomes of the next row.
  mutating func pass(_ value: Value) async throws -> [Value] {
    var values = [value]
    for index in steps.indices {
      var passed: [Value] = []
      for value in values where try await steps[index].keeps(value) {
        if case .flatten = steps[index].step { passed += value.elements ?? [value] } else { passed.append(value) }
      }
      values = passed
    }
    return values
  }

  /// All rows are through.
  func finish(_ context: Context) throws {
    for progress in steps { if case .unique = progress.step { try progress.tally.finish("unique", "all kept", context) } }
  }
}

extension OrderedTail.Progress {
  fileprivate mutating func keeps(_ value: Value) async throws -> Bool {
    defer { index += 1 }
    switch step {
    case .flatten: return true
    case .skip:
      if left == 0 { return true }
      left -= 1
      return false
    case .take:
      if left == 0 { return false }
      left -= 1
      return true
    case .unique(let expression, let context):
      var key = value
      if let expression {
        let row = Row(index: index, value: value)
        key = try await tally.value(for: value, at: index) { try await context.inRow(row).value(expression) }
        // Rows that have no key are not alike.
        if key.isNothing { return true }
      }
      return seen.insert(ValueKey(key)).inserted
    }
  }
}
