"""One run of pytest over an inventory: look, plan, bind, record, conclude."""
