import Language

extension CommandDefinition {
  static let sort = CommandDefinition(
    name: "sort", group: .data, summary: "rows in the order of a field; - before it turns the order round",
    usage: ["rows | sort latency", "rows | sort -latency input"],
    arguments: 1...99, takesInput: true, takesRowExpressions: true, examples: ["[3, 1, 2] | sort", "[{n: 1}, {n: 2}] | sort -n"]
  ) { call in
    let (values, rest) = try await call.values()
    var keyed: [(keys: [Value], value: Value)] = []
    var keys: [(expression: Expression, isDescending: Bool)] = []
    for expression in rest {
      if case .unary(.minus, let inner) = expression.node { keys.append((inner, true)) } else { keys.append((expression, false)) }
    }
    for (index, value) in values.enumerated() {
      var row: [Value] = keys.isEmpty ? [value] : []
      for key in keys { row.append(try await call.context.inRow(Row(index: index, value: value)).value(key.expression)) }
      keyed.append((row, value))
    }
    let directions = keys.isEmpty ? [false] : keys.map(\.isDescending)
    var problem: OperationError?
    // Stable: rows that are equal keep their order. Missing values come last, whichever way.
    let sorted = keyed.enumerated().sorted { a, b in
      for (index, isDescending) in directions.enumerated() {
        let (x, y) = (a.element.keys[index], b.element.keys[index])
        switch (x, y) {
        case (.nothing, .nothing): continue
        case (.nothing, _): return false
        case (_, .nothing): return true
        default: break
        }
        do throws(OperationError) {
          let order = try x.compared(to: y)
          if order != 0 { return isDescending ? order > 0 : order < 0 }
        } catch { problem = problem ?? error }
      }
      return a.offset < b.offset
    }
    if let problem { throw call.error(problem.message, at: rest.first?.span, help: problem.help) }
    return .value(.list(sorted.map(\.element.value)))
  }

  static let unique = CommandDefinition(
    name: "unique", group: .data, summary: "each value once, the first of its kind", usage: ["rows | unique", "rows | unique field"],
    arguments: 1...2, takesInput: true,
    takesRowExpressions: true, examples: ["[1, 2, 1] | unique"]
  ) { call in
    let (values, rest) = try await call.values()
    var seen: Set<String> = []
    var kept: [Value] = []
    for (index, value) in values.enumerated() {
      let key =
        if let expression = rest.first { try await call.context.inRow(Row(index: index, value: value)).value(expression) } else { value }
      if seen.insert(key.quoted).inserted { kept.append(value) }
    }
    return .value(.list(kept))
  }

  static let shuffle = CommandDefinition(
    name: "shuffle", group: .data, summary: "rows in a random order", usage: ["rows | shuffle --seed 7"], arguments: 1...1,
    takesInput: true,
    flags: [FlagDefinition(name: "seed", summary: "makes the order repeatable")], examples: ["1..5 | shuffle --seed 7"]
  ) { call in
    var random = try await call.random()
    return .value(.list(try await call.values().values.shuffled(using: &random)))
  }

  static let sample = CommandDefinition(
    name: "sample", group: .data, summary: "some rows at random, in their order", usage: ["rows | sample 10 --seed 7"], arguments: 2...2,
    takesInput: true,
    flags: [FlagDefinition(name: "seed", summary: "makes the choice repeatable")], examples: ["1..100 | sample 3 --seed 7"]
  ) { call in
    let (values, rest) = try await call.values()
    var random = try await call.random()
    let count = try await call.countArgument(rest)
    let chosen = values.indices.shuffled(using: &random).prefix(count).sorted()
    return .value(.list(chosen.map { values[$0] }))
  }
}

extension Invocation {
  fileprivate func random() async throws -> SeededRandom {
    guard let value = try await flagValue("seed") else { return SeededRandom(seed: UInt64.random(in: 0 ... .max)) }
    guard case .int(let seed) = value else {
      throw error("`--seed` takes a whole number, not \(value.preview)", at: flag("seed")?.name.span)
    }
    return SeededRandom(seed: UInt64(bitPattern: Int64(seed)))
  }
}

/// SplitMix64: the same order for the same seed, on every machine and in every version.
struct SeededRandom: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) {
    state = seed
  }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
