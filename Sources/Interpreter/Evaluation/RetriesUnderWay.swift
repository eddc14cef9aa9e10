import Threads

/// The rows that are being made again now: sent by two at once, they would be paid for twice.
final class RetriesUnderWay: Sendable {
  private let rows = Mutex<[ObjectIdentifier: String]>([:])

  /// Takes rows, known by what they are made of.
  ///
  /// - Parameter name: who makes them, as the other is told.
  /// - Returns: who makes one of them already; nil, with all of them taken, where nobody does.
  func take(_ keys: [ObjectIdentifier], by name: String) -> String? {
    rows.withLock { rows in
      for key in keys { if let other = rows[key] { return other } }
      for key in keys { rows[key] = name }
      return nil
    }
  }

  func leave(_ keys: [ObjectIdentifier]) { rows.withLock { rows in for key in keys { rows[key] = nil } } }
}
