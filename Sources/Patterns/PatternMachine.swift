/// Runs a program over a text: in all places of the pattern at once, so that a text of n bytes takes at most n times the program's
/// length, whatever the two are. The leftmost match wins, and of those what Perl would have found first.
///
/// Used by one call alone.
final class PatternMachine {
  private let program: PatternProgram
  private let text: UnsafeBufferPointer<UInt8>
  private let slotCount: Int
  private var current: Places
  private var next: Places
  private var stack: [Task] = []
  private var scratch: [Int]
  private var work = 0
  private let mostWork: Int

  private enum Task {
    case visit(Int)
    case restore(slot: Int, value: Int)
  }

  /// Places of the program in order of preference, each once, and what its groups have noted.
  private struct Places {
    private let dense: UnsafeMutablePointer<Int32>
    private let sparse: UnsafeMutablePointer<Int32>
    let slots: UnsafeMutablePointer<Int>
    var count = 0

    init(_ capacity: Int, slots slotCount: Int) {
      dense = .allocate(capacity: capacity)
      sparse = .allocate(capacity: capacity)
      slots = .allocate(capacity: max(1, capacity * slotCount))
      dense.initialize(repeating: 0, count: capacity)
      sparse.initialize(repeating: 0, count: capacity)
      slots.initialize(repeating: -1, count: max(1, capacity * slotCount))
    }

    func free() {
      dense.deallocate()
      sparse.deallocate()
      slots.deallocate()
    }

    subscript(index: Int) -> Int { Int(dense[index]) }

    func has(_ place: Int) -> Bool {
      let index = Int(sparse[place])
      return index < count && dense[index] == Int32(truncatingIfNeeded: place)
    }

    mutating func add(_ place: Int) {
      dense[count] = Int32(truncatingIfNeeded: place)
      sparse[place] = Int32(truncatingIfNeeded: count)
      count += 1
    }
  }

  /// - Parameters:
  ///   - wantsGroups: else only whether there is a match is found out.
  ///   - mostWork: steps after which it gives up.
  init(_ program: PatternProgram, _ text: UnsafeBufferPointer<UInt8>, wantsGroups: Bool, mostWork: Int) {
    self.program = program
    self.text = text
    self.mostWork = mostWork
    slotCount = wantsGroups ? 2 * program.groups : 0
    current = Places(program.steps.count, slots: slotCount)
    next = Places(program.steps.count, slots: slotCount)
    scratch = [Int](repeating: -1, count: slotCount)
  }

  deinit {
    current.free()
    next.free()
  }

  /// The first match at or behind a byte: where the groups start and end; empty without groups. Nil where there is none.
  func match(from start: Int) throws(PatternStop) -> [Int]? {
    var position = start
    var found: [Int]?
    current.count = 0
    while true {
      if current.count == 0 {
        if found != nil { return found }
        if let first = program.first {
          while position < text.count {
            let (value, length) = scalar(at: position)
            if first.contains(value) { break }
            position += length
            try step()
          }
          if position >= text.count { return nil }
        }
      }
      if found == nil {
        for index in scratch.indices { scratch[index] = -1 }
        try add(0, at: position, to: &current)
      }
      let (value, length) = position < text.count ? scalar(at: position) : (UInt32.max, 1)
      next.count = 0
      search: for index in 0..<current.count {
        let place = current[index]
        try step()
        switch program.steps[place] {
        case .scalar(let wanted) where wanted == value: break
        case .set(let set) where value != .max && program.sets[set].contains(value): break
        case .match:
          if slotCount == 0 { return [] }
          found = Array(UnsafeBufferPointer(start: current.slots + place * slotCount, count: slotCount))
          // What stands behind it is liked less.
          break search
        default: continue
        }
        for slot in 0..<slotCount { scratch[slot] = current.slots[place * slotCount + slot] }
        try add(place + 1, at: position + length, to: &next)
      }
      swap(&current, &next)
      if position >= text.count { return found }
      position += length
    }
  }

  @inline(__always)
  private func step() throws(PatternStop) {
    work += 1
    if work & 0xFFFF == 0 { try look() }
  }

  private func look() throws(PatternStop) {
    if isTaskCancelled { throw .cancelled }
    if work > mostWork { throw .tooMuchWork }
  }

  /// Adds a place and all that is reached from it without a character.
  private func add(_ start: Int, at position: Int, to places: inout Places) throws(PatternStop) {
    stack.append(.visit(start))
    while let task = stack.popLast() {
      guard case .visit(let place) = task else {
        if case .restore(let slot, let value) = task { scratch[slot] = value }
        continue
      }
      if places.has(place) { continue }
      places.add(place)
      try step()
      switch program.steps[place] {
      case .jump(let target): stack.append(.visit(target))
      case .split(let first, let second):
        stack.append(.visit(second))
        stack.append(.visit(first))
      case .save(let slot):
        if slot < slotCount {
          stack.append(.restore(slot: slot, value: scratch[slot]))
          scratch[slot] = position
        }
        stack.append(.visit(place + 1))
      case .assertion(let assertion): if holds(assertion, at: position) { stack.append(.visit(place + 1)) }
      case .scalar, .set, .match:
        for slot in 0..<slotCount { places.slots[place * slotCount + slot] = scratch[slot] }
      }
    }
  }

  private func holds(_ assertion: PatternAssertion, at position: Int) -> Bool {
    func byte(_ index: Int) -> UInt8? { index >= 0 && index < text.count ? text[index] : nil }
    switch assertion {
    case .start: return position == 0
    case .end: return position >= text.count
    case .endBeforeNewline: return position >= text.count || position == text.count - 1 && byte(position) == 10
    case .lineStart: return position == 0 || byte(position - 1) == 10 || byte(position - 1) == 13 && byte(position) != 10
    case .lineEnd:
      return position >= text.count || byte(position) == 13 || byte(position) == 10 && byte(position - 1) != 13
    case .wordBoundary: return isWord(before: position) != isWord(at: position)
    case .notWordBoundary: return isWord(before: position) == isWord(at: position)
    }
  }

  private func isWord(at position: Int) -> Bool {
    position < text.count && ScalarClass.word.contains(scalar(at: position).value)
  }

  private func isWord(before position: Int) -> Bool {
    var start = position - 1
    while start > 0, text[start] & 0xC0 == 0x80 { start -= 1 }
    return start >= 0 && ScalarClass.word.contains(scalar(at: start).value)
  }

  /// The text is valid UTF-8.
  @inline(__always)
  func scalar(at position: Int) -> (value: UInt32, length: Int) {
    let lead = text[position]
    if lead < 0x80 { return (UInt32(lead), 1) }
    func rest(_ index: Int) -> UInt32 { UInt32(text[position + index] & 0x3F) }
    if lead < 0xE0 { return (UInt32(lead & 0x1F) << 6 | rest(1), 2) }
    if lead < 0xF0 { return (UInt32(lead & 0x0F) << 12 | rest(1) << 6 | rest(2), 3) }
    return (UInt32(lead & 0x07) << 18 | rest(1) << 12 | rest(2) << 6 | rest(3), 4)
  }
}
