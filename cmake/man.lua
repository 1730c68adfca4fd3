-- docs/*.md, written to be read in a browser, become manual pages: the title is the name, what follows it until the next
-- heading the description, a code block at once after it the synopsis, and a table a list, since a terminal has no room
-- for columns of prose.
local function heading(text) return pandoc.Header(1, pandoc.Str(text)) end

local function items_of(block)
    local simple = pandoc.utils.to_simple_table(block)
    local rows = {}
    for _, row in ipairs(simple.rows) do
        local term = pandoc.utils.blocks_to_inlines(row[1])
        local said = pandoc.List()
        for column = 2, #row do
            local cell = pandoc.utils.blocks_to_inlines(row[column])
            if #cell > 0 then
                local title = pandoc.utils.stringify(simple.headers[column])
                if column > 2 then
                    said:extend({pandoc.Str("."), pandoc.Space(), pandoc.Str(title:sub(1, 1):upper() .. title:sub(2) .. ":"),
                                 pandoc.Space()})
                end
                said:extend(cell)
            end
        end
        table.insert(rows, {term, {{pandoc.Para(said)}}})
    end
    return rows
end

function Pandoc(document)
    local blocks = pandoc.List()
    local meta = document.meta
    local before_heading = false
    for index, block in ipairs(document.blocks) do
        if block.t == "Header" and block.level == 1 then
            blocks:insert(heading("NAME"))
            blocks:insert(pandoc.Para({pandoc.Str(pandoc.utils.stringify(meta.title)), pandoc.Space(), pandoc.Str("-"),
                                       pandoc.Space(), pandoc.Str(pandoc.utils.stringify(meta.purpose))}))
            before_heading = true
        elseif block.t == "Header" then
            local text = pandoc.utils.stringify(block)
            blocks:insert(pandoc.Header(block.level - 1, pandoc.Str(block.level == 2 and text:upper() or text)))
            before_heading = false
        else
            if before_heading then
                local rest = document.blocks[index + 1]
                if block.t == "Para" and rest ~= nil and rest.t == "CodeBlock" then
                    blocks:insert(heading("SYNOPSIS"))
                    blocks:insert(rest)
                    document.blocks[index + 1] = pandoc.Div({})
                end
                blocks:insert(heading("DESCRIPTION"))
                before_heading = false
            end
            if block.t == "Table" then
                blocks:insert(pandoc.DefinitionList(items_of(block)))
            else
                blocks:insert(block)
            end
        end
    end
    if meta["see-also"] then
        blocks:insert(heading("SEE ALSO"))
        blocks:insert(pandoc.Para(pandoc.Str(pandoc.utils.stringify(meta["see-also"]))))
    end
    return pandoc.Pandoc(blocks, meta)
end

-- In a terminal a link's address would stand in the middle of the sentence.
function Link(link) return link.content end
