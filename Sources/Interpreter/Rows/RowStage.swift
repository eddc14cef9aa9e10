import Chat

/// A row on its way through a pipeline.
struct Row: Sendable {
  /// Its place in the order of the result. A stage that makes `n` rows of each multiplies it by `n`.
  var index: Int
  var value: Value
  /// Which of a sweep's combinations it is for.
  var variant = 0
  /// The calls that failed for it at the last stage, where they are not the row itself.
  var lost: Attempted?
  /// Whether they were for a column.
  var lacksColumn = false
  /// The columns that the last stage could not make, and why.
  var lacks: [String: Failure] = [:]
  /// It was held back before a filter that it came by: what the filter would have said of it nobody knows.
  var isUnjudged = false
}

/// A step that each row takes by itself, whatever the others do: no barrier.
protocol RowStage: Sendable {
  /// The command that it is of: names a job whose statement has no variable.
  var word: String { get }
  /// Whether it waits for models: rows reaching it run side by side, and each needs a slot first.
  var callsModels: Bool { get }
  /// Whether it is glue only, a matter of microseconds, and may run on the thread that reads the network.
  var isLight: Bool { get }
  /// Whether a row comes out of it as another answer: one that failed before it lacks that.
  var answersAnew: Bool { get }
  /// Whether rows that failed before are what it is for; others hand such rows on.
  var mends: Bool { get }
  /// How many rows it makes of one, where that is known.
  var width: Int { get }
  /// Whether rows may go lost in it, so that how many come out cannot be told.
  var mayDrop: Bool { get }
  /// Whether its calls go to several models, and it is known of each row to which.
  var hasSeveralLanes: Bool { get }
  /// The model that a row's call goes to. For stages with several lanes only.
  func lane(of row: Row, _ context: Context) -> ModelName
  /// What can be known to be wrong before the first row runs, given the items that are there already.
  func check(_ visible: [Value], _ context: Context) async throws
  /// None where the row is dropped.
  func apply(_ row: Row, _ context: Context) async throws -> [Row]
  /// The rows that came to it, where it breaks on all of them.
  var held: [Value] { get }
  /// All rows are through: says what was left out.
  ///
  /// - Throws: what is wrong with the stage itself, where that shows only now.
  func finish(_ context: Context) throws
  /// The same for a row that failed here before, and is tried once more.
  ///
  /// - Parameter old: what it gave then; nil where a call of its own for a column failed.
  func again(_ row: Row, _ old: ReplyRow?, _ context: Context) async throws -> [Row]
  /// What becomes of a row that comes to it without what it was to have, for that was held back or cancelled; for stages that call
  /// models. Nothing is asked for such a row.
  func handOn(_ row: Row) -> Row
  /// What stands in the result for a row that was cancelled in it; nil where that is told of elsewhere.
  func cancelled(_ row: Row, _ context: Context) -> Row?
  /// What stands in the result for a row that was never begun, so that `retry` can send it.
  func unsent(_ row: Row, _ context: Context) async -> Row?
}

extension RowStage {
  var callsModels: Bool { false }
  var isLight: Bool { false }
  var answersAnew: Bool { false }
  var mends: Bool { false }
  var width: Int { 1 }
  var mayDrop: Bool { false }
  var held: [Value] { [] }
  var hasSeveralLanes: Bool { false }
  func lane(of row: Row, _ context: Context) -> ModelName { context.settings.model }
  func check(_ visible: [Value], _ context: Context) async throws {}
  func finish(_ context: Context) throws {}
  func again(_ row: Row, _ old: ReplyRow?, _ context: Context) async throws -> [Row] { try await apply(row, context) }
  func handOn(_ row: Row) -> Row { row }
  func cancelled(_ row: Row, _ context: Context) -> Row? { Row(index: row.index, value: FailedRow.cancelled(row, context)) }
  func unsent(_ row: Row, _ context: Context) async -> Row? { nil }
}
