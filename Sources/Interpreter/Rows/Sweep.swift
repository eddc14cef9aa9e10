import Chat
import Language

/// The combinations that a row is sent with: every flag and prompt that was given a list is an axis.
struct Sweep: Sendable {
  struct Variant: Sendable {
    var overrides: [Context.Override] = []
    /// What flags give the parameters of its prompt.
    var parameters: [(name: Name, value: Value)] = []
    var prompt: Int
    /// What tells this combination from the others, as columns of the result.
    var columns: [(name: String, value: Value)]

    /// The same as the reply's `settings` have it.
    var sentParameters: [(name: String, value: Value)] { parameters.map { ($0.name.text, $0.value) } }
  }

  /// A flag, and its one value or the values of its axis: a list is one, also of a single value, so that a script whose list is made
  /// elsewhere finds its column.
  enum Axis: Sendable {
    case setting(SettingDefinition, [Value], isList: Bool)
    case parameter(Name, [Value], isList: Bool)
    /// `--with`: combinations that are no grid.
    case cells([Cell])
  }

  struct Cell: Sendable {
    var overrides: [Context.Override] = []
    var parameters: [(name: Name, value: Value)] = []
  }

  var prompts: [PromptPlan]
  var variants: [Variant]
  /// `2 prompts × 4 models × 3 samples`; nil where there is one combination.
  var shape: String?

  /// The column that tells the prompts of a sweep apart; `prompt` is the text that was sent.
  static let promptName = "prompt_name"
  /// That which tells the samples apart.
  static let sampleName = "sample"

  /// The settings that it tries several values of.
  let axes: [String]
  /// Parameters with a list whose name is a reply's own, or another column's: their values are in `settings` alone.
  let hidden: [String]

  /// The names of all its columns.
  var columnNames: Set<String> { Set(variants.lazy.flatMap(\.columns).map(\.name)) }

  /// Refuses what nobody means to pay for.
  static let maximumVariants = 100_000

  init(prompts: [PromptPlan], axes: [Axis], samples: Int) {
    self.prompts = prompts
    variants = []
    var sizes: [Int] = []
    var hidden: [String] = []
    // Names that another axis gives to a column of its own.
    var taken: Set<String> = []
    if prompts.count > 1 { taken.insert(Self.promptName) }
    if samples > 1 { taken.insert(Self.sampleName) }
    for case .setting(let setting, _, isList: true) in axes { taken.insert(setting.columnName) }
    for (index, prompt) in prompts.enumerated() {
      var some = [Variant(prompt: index, columns: prompts.count > 1 ? [(Self.promptName, .text(prompt.label))] : [])]
      for axis in axes { some = some.flatMap { variant in Self.expanded(variant, by: axis, prompt, taken) } }
      if samples > 1 {
        some = some.flatMap { variant in
          (0..<samples).map { sample in
            var variant = variant
            variant.columns.append((Self.sampleName, .int(sample)))
            return variant
          }
        }
      }
      sizes.append(some.count)
      variants += some
    }
    for case .parameter(let name, let values, _) in axes
    where values.count > 1 && (ReplyField.named(name.text) != nil || taken.contains(name.text)) { hidden.append(name.text) }
    self.hidden = hidden
    self.axes = axes.flatMap { axis -> [String] in
      switch axis {
      case .setting(let setting, let values, _): values.count > 1 ? [setting.name] : []
      case .parameter: []
      case .cells(let cells): cells.count > 1 ? cells.flatMap { $0.overrides.map(\.setting.name) } : []
      }
    }
    guard variants.count > 1 else { return }
    // Prompts differ in the flags that they take: then it is no product.
    guard Set(sizes).count == 1 else {
      shape = "\(variants.count) combinations"
      return
    }
    var words = prompts.count > 1 ? ["\(prompts.count) prompts"] : []
    for axis in axes {
      switch axis {
      case .setting(let setting, let values, _) where values.count > 1: words.append("\(values.count) \(Self.plural(setting.name))")
      case .parameter(let name, let values, _) where values.count > 1: words.append("\(values.count) \(Self.plural(name.text))")
      case .cells(let cells) where cells.count > 1: words.append("\(cells.count) cells")
      default: break
      }
    }
    if samples > 1 { words.append("\(samples) samples") }
    shape = words.joined(separator: " × ")
  }

  private static func plural(_ name: String) -> String { name.hasSuffix("s") ? name : name + "s" }

  /// How many combinations a row has, before they are made.
  static func count(_ prompts: [PromptPlan], _ axes: [Axis], samples: Int) -> Double {
    prompts.reduce(0) { sum, prompt in
      sum
        + axes.reduce(Double(samples)) { product, axis in
          switch axis {
          case .setting(_, let values, _): product * Double(values.count)
          case .parameter(let name, let values, _): prompt.hasParameter(name.text) ? product * Double(values.count) : product
          case .cells(let cells): product * Double(cells.count)
          }
        }
    }
  }

  private static func expanded(_ variant: Variant, by axis: Axis, _ prompt: PromptPlan, _ taken: Set<String>) -> [Variant] {
    switch axis {
    case .setting(let setting, let values, let isList):
      return values.map { value in
        var variant = variant
        variant.overrides.append(Context.Override(setting: setting, value: value))
        // `model` is a field of every reply already.
        if isList, setting.name != "model" { variant.columns.append((setting.columnName, value)) }
        return variant
      }
    case .parameter(let name, let values, let isList):
      guard prompt.hasParameter(name.text) else { return [variant] }
      return values.map { value in
        var variant = variant
        variant.parameters.append((name, value))
        if isList, ReplyField.named(name.text) == nil, !taken.contains(name.text) { variant.columns.append((name.text, value)) }
        return variant
      }
    case .cells(let cells):
      return cells.map { cell in
        var variant = variant
        variant.overrides += cell.overrides
        for parameter in cell.parameters where prompt.hasParameter(parameter.name.text) {
          variant.parameters.removeAll { $0.name.text == parameter.name.text }
          variant.parameters.append(parameter)
        }
        if cells.count > 1 { variant.columns += columns(of: cell, among: cells).filter { !taken.contains($0.name) } }
        return variant
      }
    }
  }

  /// Every cell has the same columns: what only another cell says is nothing in this one.
  private static func columns(of cell: Cell, among cells: [Cell]) -> [(name: String, value: Value)] {
    var columns: [(name: String, value: Value)] = []
    for other in cells {
      for (name, _) in other.named where ReplyField.named(name) == nil && !columns.contains(where: { $0.name == name }) {
        columns.append((name, cell.named.last { $0.name == name }?.value ?? .nothing))
      }
    }
    return columns
  }
}

extension Sweep.Cell {
  /// What it says, under the names of columns.
  fileprivate var named: [(name: String, value: Value)] {
    overrides.map { ($0.setting.columnName, $0.value) } + parameters.map { ($0.name.text, $0.value) }
  }
}

/// Makes a row of each combination.
struct ExpandStage: RowStage {
  var word: String { "map" }
  let width: Int
  var isLight: Bool { true }

  func apply(_ row: Row, _ context: Context) -> [Row] {
    (0..<width).map { Row(index: row.index * width + $0, value: row.value, variant: $0) }
  }
}
