"""How does a table that somebody gives us become described columns and batches of rows?"""

from vo_server.formats.reading.limits import Limits as Limits
from vo_server.formats.reading.opening import open_table as open_table
from vo_server.formats.reading.table import Reading as Reading
