import Chat
import Language
import Scheduling

/// What is the same for most rows of a statement, and seldom changed within one.
struct Around: Sendable {
  let session: Session
  var source: Source
  /// What `with` has set for the block around, over the session's settings.
  var overrides: [Context.Override] = []
  /// How many of them were there when the statement's rows were launched: what `set … for JOB` says comes after these.
  var launchedOverrides: Int?
  /// Settings that a retry names: they come over all that the call had.
  var retried: [Context.Override] = []
  /// What the statement was that this belongs to: in a row or in the background all keeps to it.
  var launch: Launch?
  /// What the statement was when it began, for the rows that it may yet launch.
  var begun: Launch?
  /// The row that launched what this belongs to, with `&`.
  var launchedBy: BegunRow?
  /// The job that a background statement or block gave to its first rows, for progress.
  var tracker: Tracker?
  /// Calls of user functions around this one.
  var depth: Int = 0
  /// Calls of user functions and prompts around this one, and values of their parameters that stand in their definitions.
  var nesting: Int = 0
  /// The branches that this is one of; nil where nothing has branched yet.
  var family: BranchFamily?
  /// Work started with `&` in this function, waited for at its end.
  var children: Children
  /// Where replies are shown side by side as they come, a column a row.
  var board: (any Board)?
  /// What the statement around has to say when it is over; nil where none runs.
  var remarks: Remarks?
  /// What the rows have among them that go through the stages here; nil outside of rows.
  var rowFields: RowFields?
  /// What parts of expressions gave that are the same for all these rows.
  var invariants: Invariants?
  /// Where a pipeline's rows are kept that were paid for, until it has ended.
  var paid: PaidRows?
  /// Whether the value of a statement is shown: at the prompt and in a script's own blocks, not in functions.
  var showsValues: Bool = false
  /// Whether an error here may be caught, or another branch go on: the script does then.
  var isCaught = false
  /// Whether this is the block of an `on`.
  var isCallback: Bool = false
  /// Where a line that came from elsewhere is answered; nil for the session's own output.
  var output: (any Output)?
  /// The line of the prompt that this is part of; nil in a script.
  var line: LineInHand?

  init(session: Session, source: Source, children: Children) {
    (self.session, self.source, self.children) = (session, source, children)
  }
}

extension Context {
  var session: Session { around.value.session }

  var source: Source {
    get { around.value.source }
    set { around.value.source = newValue }
  }

  var overrides: [Override] {
    get { around.value.overrides }
    set {
      around.value.overrides = newValue
      resolved = nil
    }
  }

  var launchedOverrides: Int? {
    get { around.value.launchedOverrides }
    set { around.value.launchedOverrides = newValue }
  }

  var retried: [Override] {
    get { around.value.retried }
    set {
      around.value.retried = newValue
      resolved = nil
    }
  }

  var launch: Launch? {
    get { around.value.launch }
    set { around.value.launch = newValue }
  }

  var begun: Launch? {
    get { around.value.begun }
    set { around.value.begun = newValue }
  }

  var launchedBy: BegunRow? {
    get { around.value.launchedBy }
    set { around.value.launchedBy = newValue }
  }

  var tracker: Tracker? {
    get { around.value.tracker }
    set { around.value.tracker = newValue }
  }

  var depth: Int {
    get { around.value.depth }
    set { around.value.depth = newValue }
  }

  var nesting: Int {
    get { around.value.nesting }
    set { around.value.nesting = newValue }
  }

  var family: BranchFamily? {
    get { around.value.family }
    set { around.value.family = newValue }
  }

  var children: Children {
    get { around.value.children }
    set { around.value.children = newValue }
  }

  var board: (any Board)? {
    get { around.value.board }
    set { around.value.board = newValue }
  }

  var remarks: Remarks? {
    get { around.value.remarks }
    set { around.value.remarks = newValue }
  }

  var rowFields: RowFields? {
    get { around.value.rowFields }
    set { around.value.rowFields = newValue }
  }

  var invariants: Invariants? {
    get { around.value.invariants }
    set { around.value.invariants = newValue }
  }

  var paid: PaidRows? {
    get { around.value.paid }
    set { around.value.paid = newValue }
  }

  var showsValues: Bool {
    get { around.value.showsValues }
    set { around.value.showsValues = newValue }
  }

  var isCaught: Bool {
    get { around.value.isCaught }
    set { around.value.isCaught = newValue }
  }

  var isCallback: Bool {
    get { around.value.isCallback }
    set { around.value.isCallback = newValue }
  }

  var output: (any Output)? {
    get { around.value.output }
    set { around.value.output = newValue }
  }

  var line: LineInHand? {
    get { around.value.line }
    set { around.value.line = newValue }
  }
}
