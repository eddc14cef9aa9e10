/// A pattern as steps of a machine that is in many places at once (Thompson's construction).
struct PatternProgram: Sendable {
  enum Step: Sendable {
    case scalar(UInt32)
    case set(Int)
    case assertion(PatternAssertion)
    /// The first is tried before the second.
    case split(Int, Int)
    case jump(Int)
    /// Notes the position: 2n for the start of group n, 2n + 1 for its end.
    case save(Int)
    case match
  }

  private(set) var steps: [Step] = []
  private(set) var sets: [ScalarSet] = []
  /// What a match can begin with; nil where it can begin anywhere.
  private(set) var first: ScalarSet?
  let groups: Int
  /// Parts that were added, also those that make no step: `(?:){1000}` nested would be added for ever.
  private var parts = 0

  /// A thousand repetitions of a group of ten characters, and some.
  static let longest = 20_000
  private static let tooLarge = PatternError(message: "the pattern is too large: its repetitions multiply", offset: 0)

  init(_ node: PatternNode, groups: Int) throws(PatternError) {
    self.groups = groups
    try emit(.save(0))
    try add(node)
    try emit(.save(1))
    try emit(.match)
    var items: [ScalarSet.Item] = []
    if beginnings(of: node, &items) { first = ScalarSet(items) }
  }

  @discardableResult
  private mutating func emit(_ step: Step) throws(PatternError) -> Int {
    if steps.count >= Self.longest { throw Self.tooLarge }
    steps.append(step)
    return steps.count - 1
  }

  private mutating func add(_ node: PatternNode) throws(PatternError) {
    parts += 1
    if parts > 8 * Self.longest { throw Self.tooLarge }
    switch node {
    case .empty: break
    case .scalar(let value): try emit(.scalar(value))
    case .set(let set):
      var index = sets.firstIndex(of: set)
      if index == nil {
        index = sets.count
        sets.append(set)
      }
      try emit(.set(index ?? 0))
    case .assertion(let assertion): try emit(.assertion(assertion))
    case .sequence(let nodes): for node in nodes { try add(node) }
    case .choice(let branches):
      var jumps: [Int] = []
      for (index, branch) in branches.enumerated() {
        guard index < branches.count - 1 else {
          try add(branch)
          break
        }
        let split = try emit(.split(0, 0))
        try add(branch)
        jumps.append(try emit(.jump(0)))
        steps[split] = .split(split + 1, steps.count)
      }
      for jump in jumps { steps[jump] = .jump(steps.count) }
    case .group(let inner, let number):
      try emit(.save(2 * number))
      try add(inner)
      try emit(.save(2 * number + 1))
    case .repeated(let inner, let least, let most, let isLazy):
      for _ in 0..<least { try add(inner) }
      guard let most else {
        let split = try emit(.split(0, 0))
        try add(inner)
        try emit(.jump(split))
        steps[split] = isLazy ? .split(steps.count, split + 1) : .split(split + 1, steps.count)
        return
      }
      var splits: [Int] = []
      for _ in least..<max(least, most) {
        splits.append(try emit(.split(0, 0)))
        try add(inner)
      }
      for split in splits { steps[split] = isLazy ? .split(steps.count, split + 1) : .split(split + 1, steps.count) }
    }
  }

  /// Adds what a match of the node begins with; false where it can match nothing, or anything.
  private func beginnings(of node: PatternNode, _ items: inout [ScalarSet.Item]) -> Bool {
    switch node {
    case .empty, .assertion: return false
    case .scalar(let value): items.append(.range(value, value))
    case .set(let set): items.append(.union(set))
    case .sequence(let nodes):
      // An assertion takes nothing: what stands behind it begins.
      guard let start = nodes.first(where: { if case .assertion = $0 { false } else { true } }) else { return false }
      return beginnings(of: start, &items)
    case .choice(let branches):
      for branch in branches where !beginnings(of: branch, &items) { return false }
    case .group(let inner, _): return beginnings(of: inner, &items)
    case .repeated(let inner, let least, _, _): return least > 0 && beginnings(of: inner, &items)
    }
    return true
  }
}
