import Threads

/// Where the rows of a pipeline come from, one after the other. Asked by one task at a time.
protocol ItemSource: AnyObject, Sendable {
  /// Nil at the end.
  func next() async throws -> Value?
  /// How many there are, where that is known.
  var count: Int? { get }
  /// The items that are there already: what can be checked before anything is sent.
  var visible: [Value]? { get }
  /// Whether the next comes without waiting for anybody who may never give it (a pipe's other end).
  var isAtHand: Bool { get }
  /// So many more can be of use, the next among them: told before it is asked for.
  func want(_ count: Int)
  /// No more is asked for.
  func close() async
}

extension ItemSource {
  var isAtHand: Bool { true }
  func want(_ count: Int) {}
  func close() async {}
}

final class ListSource: ItemSource {
  private let values: [Value]
  private let position = Mutex(0)

  init(_ values: [Value]) {
    self.values = values
  }

  func next() -> Value? {
    position.withLock { position in
      guard position < values.count else { return nil }
      defer { position += 1 }
      return values[position]
    }
  }

  var count: Int? { values.count }
  var visible: [Value]? { values }
}

/// A range, never spelled out: `0..9999999` takes no memory.
final class RangeSource: ItemSource {
  private let low: Int
  private let high: Int
  private let position: Mutex<Int>

  init(_ low: Int, _ high: Int) {
    (self.low, self.high) = (low, high)
    position = Mutex(low)
  }

  func next() -> Value? {
    position.withLock { position in
      guard position <= high else { return nil }
      defer { position += 1 }
      return .int(position)
    }
  }

  var count: Int? { high < low ? 0 : high - low + 1 }
  /// One item stands for all: they differ in nothing that could be checked.
  var visible: [Value]? { low <= high ? [.int(low)] : [] }
}
