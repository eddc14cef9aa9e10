/// A row on its way through a pipeline.
struct Row: Sendable {
  /// Its place in the order of the result. A stage that makes `n` rows of each multiplies it by `n`.
  var index: Int
  var value: Value
  /// Which of a sweep's combinations it is for.
  var variant = 0
}

/// A step that each row takes by itself, whatever the others do: no barrier.
protocol RowStage: Sendable {
  /// Whether it waits for models: rows reaching it run side by side, and each needs a slot first.
  var callsModels: Bool { get }
  /// Whether it is glue only, a matter of microseconds, and may run on the thread that reads the network.
  var isLight: Bool { get }
  /// How many rows it makes of one, where that is known.
  var width: Int { get }
  /// Whether rows may go lost in it, so that how many come out cannot be told.
  var mayDrop: Bool { get }
  /// What can be known to be wrong before the first row runs, given the items that are there already.
  func check(_ visible: [Value], _ context: Context) async throws
  /// None where the row is dropped.
  func apply(_ row: Row, _ context: Context) async throws -> [Row]
  /// All rows are through: says what was left out.
  ///
  /// - Throws: what is wrong with the stage itself, where that shows only now.
  func finish(_ context: Context) throws
  /// The same for a row that failed here before, and is tried once more.
  func again(_ row: Row, _ old: ReplyRow, _ context: Context) async throws -> [Row]
  /// What stands in the result for a row that was never begun, so that `retry` can send it.
  func unsent(_ row: Row, _ context: Context) async -> Row?
}

extension RowStage {
  var callsModels: Bool { false }
  var isLight: Bool { false }
  var width: Int { 1 }
  var mayDrop: Bool { false }
  func check(_ visible: [Value], _ context: Context) async throws {}
  func finish(_ context: Context) throws {}
  func again(_ row: Row, _ old: ReplyRow, _ context: Context) async throws -> [Row] { try await apply(row, context) }
  func unsent(_ row: Row, _ context: Context) async -> Row? { nil }
}
