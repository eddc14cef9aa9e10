import Formats
import Language

/// What is known of rows before there are any: the names that an expression for a row may use.
struct RowShape: Sendable {
  enum Kind: Sendable {
    case records, replies
    /// Texts, numbers and the like, which have no fields.
    case plain
    /// Some of this and some of that.
    case mixed
  }

  /// A part of the names.
  enum Layer: Sendable {
    case names([String])
    /// The fields of rows that are there already.
    case rows(RowFields)
  }

  var kind: Kind
  var layers: [Layer] = []
  /// There may be names that are not known.
  var isOpen = false
  /// Names that the rows may turn out not to have: those of a sweep whose axis a variable may hold.
  var uncertain: Set<String> = []
  /// The rows that they are made of, one of each, where these are there already and none is left out.
  var sources: [Value] = []
  /// A field that a later row has and the first has not.
  var lateWritten: String?
  /// Columns that all of them were given, so that none of these comes late.
  var given: Set<String> = []
  /// Of groups: what the rows of each are.
  var grouped: [RowShape] = []
  /// Of replies: what they were made for, where that is known.
  var items: [RowShape] = []

  static func records(_ names: [String]) -> RowShape { RowShape(kind: .records, layers: [.names(names)]) }
  static let plain = RowShape(kind: .plain)

  /// Whether rows of this shape may have a field of this name.
  func contains(_ name: String) -> Bool {
    // Every row can be asked whether it failed, and why.
    if isOpen || name == "failed" || name == "error" { return true }
    if kind == .replies || kind == .mixed, ReplyField.named(name) != nil { return true }
    return layers.contains { layer in
      switch layer {
      case .names(let names): names.contains(name)
      case .rows(let rows): rows.contains(name)
      }
    }
  }

  /// For help: the data first, what every reply has behind it.
  var names: [String] {
    var names: [String] = []
    for layer in layers {
      switch layer {
      case .names(let more): names += more
      case .rows(let rows): names += rows.all.sorted()
      }
    }
    var seen: Set<String> = []
    return (names + (kind == .replies ? ReplyField.names : [])).filter { seen.insert($0).inserted }
  }

  /// The columns that each of these rows has in a table on file, as far as they are certain.
  func columnsFor(_ format: FileFormat) -> [String] {
    if isOpen || !grouped.isEmpty { return [] }
    var known: [String] = []
    for case .names(let names) in layers { known += names.filter { !uncertain.contains($0) } }
    switch kind {
    case .records: return known
    // What a reply has besides depends on its item; that it has these does not.
    case .replies:
      return format == .md ? ["#", "reply"] : known.filter { ReplyField.named($0) == nil } + ["prompt", "text", "attempts"]
    case .plain, .mixed: return []
    }
  }

  func adding(_ names: [String]) -> RowShape {
    if names.isEmpty { return self }
    var shape = self
    shape.layers.append(.names(names))
    // A reply's column hides the field of its item, which still comes late: as `input.NAME`.
    if kind != .replies { shape.given.formUnion(names) }
    return shape
  }

  /// Rows of this shape and of another in one list.
  func joined(with other: RowShape) -> RowShape {
    RowShape(
      kind: kind == other.kind ? kind : .mixed, layers: layers + other.layers, isOpen: isOpen || other.isOpen,
      uncertain: uncertain.union(other.uncertain),
      lateWritten: kind == .records && other.kind == .records && sources.isEmpty && other.sources.isEmpty
        ? lateWritten ?? other.names.first { !contains($0) } : nil)
  }

  /// What a prompt makes of items of this shape: replies, which have the items' fields too.
  var replies: RowShape {
    RowShape(
      kind: .replies, layers: layers, isOpen: isOpen || kind == .mixed, uncertain: uncertain, sources: sources, lateWritten: lateWritten,
      given: given, items: [self])
  }

  /// Some of these rows, perhaps in another order: what is first among them is not known.
  var some: RowShape {
    var shape = self
    (shape.sources, shape.lateWritten) = ([], nil)
    return shape
  }

  /// A field of a later row that the first has not, so that no table can hold them.
  var lateField: String? {
    guard let first = sources.first else { return lateWritten.flatMap { given.contains($0) ? nil : $0 } }
    let names = Set(RowFields([first]).all)
    return RowFields(sources).all.subtracting(names).subtracting(given).sorted().first
  }
}

extension RowShape {
  /// Of what a value has for rows; nil where that says nothing of them: none are there, or all have failed.
  init?(_ value: Value) {
    let rows: [Value]
    switch value {
    case .list(let list): rows = list.values
    case .record, .reply, .text: rows = [value]
    case .range(let low, let high) where low <= high:
      self = .plain
      return
    default: return nil
    }
    var kinds: Set<Kind> = []
    for row in rows {
      switch row {
      case .record: kinds.insert(.records)
      case .reply: kinds.insert(.replies)
      case .list, .job, .function, .prompt: return nil
      default: kinds.insert(.plain)
      }
    }
    // What failed has no data to name.
    guard let kind = kinds.first, rows.contains(where: { $0.failure == nil }) else { return nil }
    self.init(kind: kinds.count == 1 ? kind : .mixed, layers: kinds == [.plain] ? [] : [.rows(RowFields(rows))])
    if kinds == [.records] { sources = rows }
  }
}
