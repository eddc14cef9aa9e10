import Chat
import Language
import Scheduling
import Threads

/// The settings that a call was sent with. All replies of a stage share one.
final class AnswerSettings: CallSettings {
  let settings: Settings
  /// What `set … for JOB` had changed, as columns.
  let changes: [(name: String, value: Value)]
  /// What `retry` had named: a column of that setting says the value that was sent.
  let retried: [(name: String, value: Value)]
  /// The form that its answer is read in (`--as`): whoever sends it again reads it so, too.
  let form: ReplyForm?

  /// What flags gave the prompt's parameters: two maps that differ in them can be put together.
  let parameters: [(name: String, value: Value)]

  /// The headers of `set headers` by name, where a file has kept nothing else of them: their values may be secrets.
  let headersSent: [String]

  /// How many turns were sent, where a table has kept the last of them only.
  let turnsSent: Int?
  /// How many prompts and functions stood behind the one that failed, of a row from a file, which does not hold them.
  let stagesBehind: Int?

  init(
    _ settings: Settings, changes: [(name: String, value: Value)] = [], retried: [(name: String, value: Value)] = [],
    form: ReplyForm? = nil, parameters: [(name: String, value: Value)] = [], turnsSent: Int? = nil, stagesBehind: Int? = nil,
    headersSent: [String] = []
  ) {
    (self.settings, self.changes, self.retried) = (settings, changes, retried)
    (self.form, self.parameters, self.turnsSent, self.stagesBehind) = (form, parameters, turnsSent, stagesBehind)
    self.headersSent = headersSent
  }

  func reading(as form: ReplyForm?) -> AnswerSettings {
    form == self.form ? self : AnswerSettings(settings, changes: changes, retried: retried, form: form, parameters: parameters)
  }

  /// The columns of a row that was sent with these: its own, and what was changed since it was launched.
  func labels(_ columns: [(name: String, value: Value)]) -> [(name: String, value: Value)] {
    if changes.isEmpty, retried.isEmpty { return columns }
    let labels = columns.filter { column in !changes.contains { $0.name == column.name } } + changes
    return labels.map { label in retried.last { $0.name == label.name } ?? label }
  }

  /// As `reply.settings` reads them: those that shape an answer and are set, `model` first; then the parameters.
  var record: Record {
    let usual = Settings(model: settings.model)
    var record = Record()
    for setting in SettingDefinition.all where setting.shapesAnswers {
      let value = setting.get(settings)
      if setting.name != "model", value.quoted == setting.get(usual).quoted { continue }
      record[setting.columnName] = value
    }
    if !headersSent.isEmpty { record["headers"] = .record(Record(headersSent.map { ($0, .text(Secret.hidden)) })) }
    if let form { record["as"] = .text(form.rawValue) }
    if let turnsSent { record[Self.turns] = .int(turnsSent) }
    if let stagesBehind { record[Self.stages] = .int(stagesBehind) }
    for (name, value) in parameters where SettingDefinition.named(column: name) == nil { record[name] = value }
    return record
  }

  /// What a table's settings have besides, where more was sent than its prompt.
  static let turns = "turns sent"
  /// What a file's settings have besides of a row that failed before the last prompt or function of its pipeline. No setting and no
  /// parameter has a name with a blank.
  static let stages = "stages behind"

  /// Back from a record, as a file has it.
  convenience init(_ record: Record, model: ModelName) {
    var settings = Settings(model: model)
    var parameters: [(name: String, value: Value)] = []
    for field in record.fields {
      guard let setting = SettingDefinition.named(column: field.name) else {
        if !["as", Self.turns, Self.stages].contains(field.name) { parameters.append((field.name, field.value)) }
        continue
      }
      guard setting.shapesAnswers, !setting.isSecret, let value = try? setting.read(field.value) else { continue }
      setting.put(&settings, value)
    }
    var headersSent: [String] = []
    if case .record(let headers)? = record["headers"] { headersSent = headers.fields.map(\.name) }
    func whole(_ name: String) -> Int? { if case .int(let whole)? = record[name] { whole } else { nil } }
    self.init(
      settings, form: record["as"].flatMap { ReplyForm(rawValue: $0.text) }, parameters: parameters, turnsSent: whole(Self.turns),
      stagesBehind: whole(Self.stages), headersSent: headersSent)
  }
}

extension SettingDefinition {
  /// Whether it goes into the request, and a job keeps what it was launched with.
  var shapesAnswers: Bool { isRequest && !isLive }

  /// Its name where hyphens cannot stand.
  var columnName: String { name.replacing("-", with: "_") }

  static func named(column: String) -> SettingDefinition? { named(column.replacing("_", with: "-")) }
}

/// A stage's settings: what was fixed at the launch, what is live, and overrides over them; worked out anew only when one changes.
final class ResolvedSettings: Sendable {
  private let overrides: [Context.Override]
  private let launchedOverrides: Int
  private let retried: [Context.Override]
  private let launch: Launch?
  private let begun: Launch?
  private let form: ReplyForm?
  private let parameters: [(name: String, value: Value)]
  private let cached = Mutex<(session: Int, launch: Int, settings: AnswerSettings)?>(nil)

  init(_ context: Context, form: ReplyForm? = nil) {
    self.form = form
    overrides = context.overrides
    launchedOverrides = context.launchedOverrides ?? context.overrides.count
    retried = context.retried
    launch = context.launch
    begun = context.begun
    parameters = context.parameters
  }

  /// - Parameter row: whose call it is: a row that has begun keeps to what its first call was sent with.
  func settings(_ session: Session, for row: BegunRow? = nil) -> AnswerSettings {
    let changed = launch.map { row?.outermost.version(of: $0.id) ?? $0.version } ?? 0
    let version = session.settingsVersion
    if let known = cached.withLock({ $0 }), known.session == version, known.launch == changed { return known.settings }
    var settings = (launch ?? begun)?.settings(session) ?? session.settings
    for override in overrides.prefix(launchedOverrides) { override.setting.put(&settings, override.value) }
    let changes = launch?.changes(at: changed) ?? []
    for change in changes { change.setting.put(&settings, change.value) }
    for override in overrides.dropFirst(launchedOverrides) + retried { override.setting.put(&settings, override.value) }
    let worked = AnswerSettings(
      settings, changes: changes.filter { $0.setting.name != "model" }.map { ($0.setting.columnName, $0.value) },
      retried: retried.map { ($0.setting.columnName, $0.value) }, form: form, parameters: parameters)
    cached.withLock { $0 = (version, changed, worked) }
    return worked
  }
}
